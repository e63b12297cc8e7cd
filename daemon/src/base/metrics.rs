//! Counters and gauges for `GET /metrics`, in the Prometheus text format (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter: it only grows while the process lives.
#[derive(Debug)]
pub(crate) struct Counter {
    name: &'static str,
    help: &'static str,
    value: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, value: AtomicU64::new(0) }
    }

    /// Increases the counter by `more`.
    pub(crate) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }
}

/// Accepted connections.
pub(crate) static CONNECTED: Counter = Counter::new("chatpush_connections_total", "Connections accepted.");
/// Frames written to connections.
pub(crate) static DELIVERED: Counter =
    Counter::new("chatpush_frames_total", "Frames written to connections.");
/// Stored messages confirmed by a client.
pub(crate) static CONFIRMED: Counter =
    Counter::new("chatpush_confirmed_total", "Stored messages confirmed by a client.");
/// Connections closed because the client did not keep up.
pub(crate) static SLOW: Counter =
    Counter::new("chatpush_slow_total", "Connections closed because the client did not keep up.");
/// Handshakes rejected by a limit.
pub(crate) static REFUSED: Counter =
    Counter::new("chatpush_refused_total", "Handshakes rejected by a limit.");
/// Handshakes that timed out.
pub(crate) static LATE: Counter =
    Counter::new("chatpush_late_total", "Handshakes that were not finished in time.");
/// Lost subscriptions. Pushes that were not stored did not arrive meanwhile.
pub(crate) static GAPS: Counter = Counter::new(
    "chatpush_gaps_total",
    "Subscriptions lost; pushes in between did not arrive, stored messages did.",
);
/// Queries dropped because too many were waiting.
pub(crate) static UNANSWERED: Counter =
    Counter::new("chatpush_unanswered_total", "Queries dropped because too many were waiting.");
/// Transactions committed by the writer.
pub(crate) static BATCHES: Counter =
    Counter::new("chatpush_batches_total", "Transactions committed by this daemon as the writer.");
/// Log entries in those transactions.
pub(crate) static ENTRIES: Counter =
    Counter::new("chatpush_entries_total", "Log entries applied to MySQL by this daemon.");
/// Log entries that MySQL refused; they are kept as dead letters.
pub(crate) static DEAD: Counter =
    Counter::new("chatpush_dead_total", "Log entries that MySQL refused, kept in chatpush_dead.");

const COUNTERS: [&Counter; 11] = [
    &CONNECTED,
    &REFUSED,
    &LATE,
    &DELIVERED,
    &CONFIRMED,
    &SLOW,
    &GAPS,
    &UNANSWERED,
    &BATCHES,
    &ENTRIES,
    &DEAD,
];

/// All counters, the number of open connections, and the bytes queued for them.
pub(crate) fn text(connections: usize, queued_bytes: usize) -> String {
    let mut text = String::new();
    for Counter { name, help, value } in COUNTERS {
        let value = value.load(Ordering::Relaxed);
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
    for (name, help, value) in [
        (
            "chatpush_outbox_bytes",
            "Bytes queued for clients, stored messages on their way included.",
            queued_bytes,
        ),
        ("chatpush_connections", "Connections open now.", connections),
    ] {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_help_and_type() {
        GAPS.add(2);
        let text = text(7, 0);
        assert!(text.contains("\nchatpush_gaps_total 2\n") && text.ends_with("\nchatpush_connections 7\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(' ').next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")));
        }
    }
}
