//! Counters and gauges for `GET /metrics`, in the Prometheus text format (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// A counter for each value of one label.
#[derive(Debug)]
pub(crate) struct LabelledCounter {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    /// Values that are reported before they are counted, as Prometheus asks for.
    known: &'static [&'static str],
    /// A plain mutex: nothing awaits while holding it.
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl LabelledCounter {
    const fn new(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        known: &'static [&'static str],
    ) -> Self {
        Self { name, help, label, known, counts: Mutex::new(BTreeMap::new()) }
    }

    /// Counts so many more with this value of the label.
    pub(crate) fn add(&self, value: &'static str, more: usize) {
        if more > 0 {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(value).or_default() += more as u64;
        }
    }

    /// Counts one more with this value of the label.
    pub(crate) fn increment(&self, value: &'static str) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(value).or_default() += 1;
    }

    fn write(&self, text: &mut String) {
        let Self { name, help, label, known, counts } = self;
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for value in *known {
            counts.entry(value).or_default();
        }
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
        for (value, count) in counts {
            let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {count}");
        }
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
/// Rejected handshakes, by reason.
pub(crate) static HANDSHAKES_REJECTED: LabelledCounter = LabelledCounter::new(
    "chatpush_handshakes_rejected_total",
    "Handshakes that were rejected.",
    "reason",
    &[
        "missing",
        "malformed",
        "signature",
        "expired",
        "revoked",
        "audience",
        "origin",
        "user_limit",
        "address_limit",
        "rate",
        "full",
        "proxy",
    ],
);
/// Client events that were dropped, by reason.
pub(crate) static EVENTS_DROPPED: LabelledCounter = LabelledCounter::new(
    "chatpush_events_dropped_total",
    "Client events that were dropped.",
    "reason",
    // `limits.events`; the receiver is no peer of the sender's grant; much waits for the receiver's client;
    // much waits for Redis, or Redis is away; its name or its value is not allowed.
    &["rate", "peer", "receiver", "redis", "name", "value"],
);
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
/// Messages that had waited for too long.
pub(crate) static EXPIRED: Counter =
    Counter::new("chatpush_expired_total", "Messages that were removed after mailbox.max_age_days.");

/// Terms as the writer.
pub(crate) static TERMS: Counter =
    Counter::new("chatpush_terms_total", "Times this daemon became the writer.");
/// Outages of Redis and MySQL, by the task that noticed.
pub(crate) static OUTAGES: LabelledCounter = LabelledCounter::new(
    "chatpush_outages_total",
    "Times a task of this daemon could not use Redis or MySQL.",
    "peer",
    &[],
);
/// Reloads of the certificate, by their result.
pub(crate) static CERTIFICATE_RELOADS: LabelledCounter = LabelledCounter::new(
    "chatpush_certificate_reloads_total",
    "Times the certificate was read again.",
    "result",
    &["ok", "failed"],
);

/// Webhooks, by what became of them.
pub(crate) static WEBHOOKS: LabelledCounter = LabelledCounter::new(
    "chatpush_webhooks_total",
    "Requests to the application's webhook, by what became of them.",
    "outcome",
    &["delivered", "failed", "gone", "given_up", "dropped"],
);

/// Requests to push services, by what became of them.
pub(crate) static WEB_PUSHES: LabelledCounter = LabelledCounter::new(
    "chatpush_web_pushes_total",
    "Requests to push services of browsers, by what became of them; and users who were given up.",
    "outcome",
    &["accepted", "gone", "failed", "unauthorized", "rejected", "given_up"],
);

const COUNTERS: [&Counter; 12] = [
    &CONNECTED,
    &LATE,
    &DELIVERED,
    &CONFIRMED,
    &SLOW,
    &GAPS,
    &UNANSWERED,
    &BATCHES,
    &ENTRIES,
    &DEAD,
    &EXPIRED,
    &TERMS,
];

const LABELLED_COUNTERS: [&LabelledCounter; 6] =
    [&HANDSHAKES_REJECTED, &OUTAGES, &CERTIFICATE_RELOADS, &EVENTS_DROPPED, &WEBHOOKS, &WEB_PUSHES];

/// All counters, the number of open connections, and the bytes queued for them.
pub(crate) fn text(connections: usize, queued_bytes: usize) -> String {
    let mut text = String::new();
    for Counter { name, help, value } in COUNTERS {
        let value = value.load(Ordering::Relaxed);
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
    for counter in LABELLED_COUNTERS {
        counter.write(&mut text);
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
        HANDSHAKES_REJECTED.increment("origin");
        OUTAGES.increment("Redis (test)");
        let text = text(7, 0);
        assert!(text.contains("\nchatpush_handshakes_rejected_total{reason=\"origin\"} 1\n"));
        assert!(text.contains("\nchatpush_handshakes_rejected_total{reason=\"missing\"} 0\n"));
        assert!(text.contains("\nchatpush_outages_total{peer=\"Redis (test)\"} 1\n"));
        assert!(text.contains("\nchatpush_gaps_total 2\n") && text.ends_with("\nchatpush_connections 7\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split([' ', '{']).next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")));
        }
    }
}
