//! What the daemon counts, for `GET /metrics` in the text format of Prometheus (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows while the process lives.
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    help: &'static str,
    value: AtomicU64,
}

impl Counter {
    const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, value: AtomicU64::new(0) }
    }

    /// Counts `more` of it.
    pub fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }
}

/// Connections that were accepted.
pub static CONNECTED: Counter = Counter::new("chatpush_connections_total", "Connections accepted.");
/// Frames that were handed to a connection.
pub static DELIVERED: Counter = Counter::new("chatpush_frames_total", "Frames written to connections.");
/// Stored messages that a client confirmed.
pub static CONFIRMED: Counter =
    Counter::new("chatpush_confirmed_total", "Stored messages confirmed by a client.");
/// Connections that were closed because the client did not keep up.
pub static SLOW: Counter =
    Counter::new("chatpush_slow_total", "Connections closed because the client did not keep up.");
/// Handshakes that a limit refused.
pub static REFUSED: Counter = Counter::new("chatpush_refused_total", "Handshakes refused by a limit.");
/// Handshakes that were not finished in time.
pub static LATE: Counter = Counter::new("chatpush_late_total", "Handshakes that were not finished in time.");
/// How often the subscriptions were lost. What was pushed without being stored meanwhile did not arrive.
pub static GAPS: Counter = Counter::new(
    "chatpush_gaps_total",
    "Subscriptions lost; pushes in between did not arrive, stored messages did.",
);
/// QueryQueue of the extension that were let go because too many waited.
pub static UNANSWERED: Counter =
    Counter::new("chatpush_unanswered_total", "QueryQueue let go because too many waited.");
/// Transactions that the writer committed.
pub static BATCHES: Counter =
    Counter::new("chatpush_batches_total", "Transactions committed by this daemon as the writer.");
/// Log entries in them.
pub static ENTRIES: Counter =
    Counter::new("chatpush_entries_total", "Log entries applied to MySQL by this daemon.");
/// Log entries that MySQL refused.
pub static DEAD: Counter =
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

/// Everything counted, how many connections there are now, and how many bytes wait for them.
pub fn text(connections: usize, waiting: usize) -> String {
    let mut text = String::new();
    for Counter { name, help, value } in COUNTERS {
        let value = value.load(Ordering::Relaxed);
        // WriterConnection to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
    for (name, help, value) in [
        ("chatpush_outbox_bytes", "Bytes that wait for clients to take them.", waiting),
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
    fn every_number_has_its_help_and_type() {
        GAPS.add(2);
        let text = text(7, 0);
        assert!(text.contains("\nchatpush_gaps_total 2\n") && text.ends_with("\nchatpush_connections 7\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(' ').next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")));
        }
    }
}
