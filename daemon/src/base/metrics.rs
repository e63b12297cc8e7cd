//! Counters and histograms for `GET /metrics`, by the crate `prometheus-client`. What happens for each message is
//! recorded by atomic additions alone. Gauges are read when they are asked for, by `ops`.

mod histogram;
mod labelled;
mod written;

use std::sync::LazyLock;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use self::histogram::Histogram;
pub(crate) use self::labelled::Labelled;
pub use self::written::WrittenFrames;

/// The media type of the text format.
pub(crate) use self::prometheus_text::CONTENT_TYPE;

/// Accepted connections.
pub(crate) static CONNECTED: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Frames written to connections.
pub(crate) static FRAMES: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Handshakes that timed out.
pub(crate) static LATE: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Lost subscriptions. Pushes that were not stored did not arrive meanwhile.
pub(crate) static GAPS: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Queries dropped because too many were waiting.
pub(crate) static UNANSWERED: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Transactions committed by the writer.
pub(crate) static BATCHES: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Log entries in those transactions.
pub(crate) static ENTRIES: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Log entries that MySQL refused; they are kept as dead letters.
pub(crate) static DEAD: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Messages that had waited for too long.
pub(crate) static EXPIRED: LazyLock<Counter> = LazyLock::new(Counter::default);
/// Terms as the writer.
pub(crate) static TERMS: LazyLock<Counter> = LazyLock::new(Counter::default);

/// From the moment when Redis accepted a message until MySQL has committed it.
pub(crate) static STORE_DURATION: LazyLock<Histogram> = LazyLock::new(Histogram::new);
/// From the moment when a live message reached this daemon until it was written to the client's socket.
pub(crate) static DELIVERY_DURATION: LazyLock<Histogram> = LazyLock::new(Histogram::new);

/// Messages, by kind and outcome.
pub(crate) static MESSAGES: LazyLock<Messages> = LazyLock::new(Messages::new);
/// Open connections, by subprotocol.
pub(crate) static CONNECTIONS: LazyLock<Connections> = LazyLock::new(Connections::new);

/// Rejected handshakes, by reason.
pub(crate) static HANDSHAKES_REJECTED: LazyLock<Labelled> = LazyLock::new(|| {
    let reasons = [
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
    ];
    Labelled::new("reason", &reasons)
});
/// Client events that were dropped, by reason: `limits.events`; the receiver is no peer of the sender's grant; much
/// waits for the receiver's client; much waits for Redis, or Redis is away; its name or its value is not allowed.
pub(crate) static EVENTS_DROPPED: LazyLock<Labelled> =
    LazyLock::new(|| Labelled::new("reason", &["rate", "peer", "receiver", "redis", "name", "value"]));
/// Closed connections, by code.
pub(crate) static CLOSES: LazyLock<Labelled> = LazyLock::new(|| {
    let codes = [
        "1002",
        "1003",
        "1007",
        "1008",
        "1009",
        "1012",
        "4000",
        "4001",
        "4401",
        "4403",
        CLOSED_BY_CLIENT,
        LOST,
    ];
    Labelled::new("code", &codes)
});
/// Outages of Redis and MySQL, by the task that noticed.
pub(crate) static OUTAGES: LazyLock<Labelled> = LazyLock::new(|| Labelled::new("peer", &[]));
/// Reloads of the configuration, by their result.
pub(crate) static RELOADS: LazyLock<Labelled> = LazyLock::new(|| Labelled::new("result", &["ok", "failed"]));
/// Reloads of the certificate, by their result.
pub(crate) static CERTIFICATE_RELOADS: LazyLock<Labelled> =
    LazyLock::new(|| Labelled::new("result", &["ok", "failed"]));
/// Webhooks, by what became of them.
pub(crate) static WEBHOOKS: LazyLock<Labelled> =
    LazyLock::new(|| Labelled::new("outcome", &["delivered", "failed", "gone", "given_up", "dropped"]));
/// Requests to push services, by what became of them.
pub(crate) static WEB_PUSHES: LazyLock<Labelled> = LazyLock::new(|| {
    let outcomes = ["accepted", "gone", "failed", "unauthorized", "rejected", "given_up"];
    Labelled::new("outcome", &outcomes)
});

/// The value of `code` for a connection that the client has closed.
pub(crate) const CLOSED_BY_CLIENT: &str = "client";
/// The value of `code` for a connection that broke.
pub(crate) const LOST: &str = "lost";

/// Messages, by kind and outcome.
#[derive(Debug)]
pub(crate) struct Messages {
    family: Family<[(&'static str, &'static str); 2], Counter>,
    /// Rows that were committed.
    pub(crate) stored: Counter,
    /// Messages that MySQL, or a full mailbox, has refused.
    pub(crate) refused: Counter,
    /// Stored messages that were written to a connection, each time.
    pub(crate) sent: Counter,
    /// Stored messages that a client has confirmed.
    pub(crate) confirmed: Counter,
    /// Messages that are stored nowhere and were written to a connection, each time.
    pub(crate) pushed: Counter,
}

impl Messages {
    fn new() -> Self {
        let family = Family::default();
        let counter = |kind, outcome| -> Counter {
            let counter: &Counter = &family.get_or_create(&[("kind", kind), ("outcome", outcome)]);
            counter.clone()
        };
        Self {
            stored: counter("stored", "stored"),
            refused: counter("stored", "refused"),
            sent: counter("stored", "sent"),
            confirmed: counter("stored", "confirmed"),
            pushed: counter("pushed", "sent"),
            family,
        }
    }
}

/// Open connections, by subprotocol.
#[derive(Debug)]
pub(crate) struct Connections(Family<[(&'static str, &'static str); 1], Gauge>);

/// One open connection. It counts until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Connections {
    fn new() -> Self {
        let connections = Self(Family::default());
        for protocol in [Some("chatpush.v1"), Some("chatpush.raw"), None] {
            connections.gauge(protocol);
        }
        connections
    }

    /// Counts a connection with this subprotocol.
    pub(crate) fn open(&self, protocol: Option<&'static str>) -> OpenConnection {
        let gauge = self.gauge(protocol);
        gauge.inc();
        OpenConnection(gauge)
    }

    fn gauge(&self, protocol: Option<&'static str>) -> Gauge {
        let gauge: &Gauge = &self.0.get_or_create(&[("protocol", protocol.unwrap_or("none"))]);
        gauge.clone()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Everything above, with its names. The names of counters get the suffix `_total`.
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    let counters = [
        ("chatpush_handshakes_accepted", "Connections accepted", &CONNECTED),
        ("chatpush_late", "Handshakes that were not finished in time", &LATE),
        ("chatpush_frames", "Frames written to connections", &FRAMES),
        ("chatpush_gaps", "Subscriptions lost; pushes in between did not arrive, stored messages did", &GAPS),
        ("chatpush_unanswered", "Queries dropped because too many were waiting", &UNANSWERED),
        ("chatpush_batches", "Transactions committed by this daemon as the writer", &BATCHES),
        ("chatpush_entries", "Log entries applied to MySQL by this daemon", &ENTRIES),
        ("chatpush_dead", "Log entries that MySQL refused, kept in chatpush_dead", &DEAD),
        ("chatpush_expired", "Messages that were removed after mailbox.max_age_days", &EXPIRED),
        ("chatpush_terms", "Times this daemon became the writer", &TERMS),
    ];
    for (name, help, counter) in counters {
        registry.register(name, help, Counter::clone(counter));
    }
    let labelled = [
        ("chatpush_handshakes_rejected", "Handshakes that were rejected", &HANDSHAKES_REJECTED),
        ("chatpush_events_dropped", "Client events that were dropped", &EVENTS_DROPPED),
        ("chatpush_closes", "Connections that have ended, by the code of the close frame", &CLOSES),
        ("chatpush_outages", "Times a task of this daemon could not use Redis or MySQL", &OUTAGES),
        ("chatpush_reloads", "Times the configuration was read again", &RELOADS),
        ("chatpush_certificate_reloads", "Times the certificate was read again", &CERTIFICATE_RELOADS),
        ("chatpush_webhooks", "Requests to the application's webhook, by what became of them", &WEBHOOKS),
        (
            "chatpush_web_pushes",
            "Requests to push services of browsers, and users who were given up",
            &WEB_PUSHES,
        ),
    ];
    for (name, help, counter) in labelled {
        registry.register(name, help, counter.family.clone());
    }
    let messages = "Messages, by kind and by what became of them; what is sent counts each time";
    registry.register("chatpush_messages", messages, MESSAGES.family.clone());
    registry.register("chatpush_connections", "Connections open now", CONNECTIONS.0.clone());
    let stored = "From Redis accepting a message to its commit in MySQL";
    registry.register("chatpush_store_duration_seconds", stored, STORE_DURATION.clone());
    let delivered = "From a live message reaching this daemon to its write to a client's socket";
    registry.register("chatpush_delivery_duration_seconds", delivered, DELIVERY_DURATION.clone());
    registry
});

/// All of it, followed by these gauges, in the Prometheus text format.
pub(crate) fn text(gauges: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_text::encode(&mut text, &REGISTRY);
    let _ = prometheus_text::encode(&mut text, gauges);
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_metric_has_help_and_type() {
        GAPS.inc_by(2);
        HANDSHAKES_REJECTED.increment("origin");
        OUTAGES.increment("Redis (test)");
        STORE_DURATION.observe(Duration::from_micros(250));
        STORE_DURATION.observe(Duration::from_secs(90));
        let mut gauges = Registry::default();
        gauges.register("chatpush_outbox_bytes", "Bytes queued", Gauge::<i64>::default());
        let text = text(&gauges);
        for line in [
            "chatpush_handshakes_rejected_total{reason=\"origin\"} 1",
            "chatpush_handshakes_rejected_total{reason=\"missing\"} 0",
            "chatpush_outages_total{peer=\"Redis (test)\"} 1",
            "chatpush_gaps_total 2",
            "chatpush_messages_total{kind=\"pushed\",outcome=\"sent\"} 0",
            "chatpush_connections{protocol=\"none\"} 0",
            "chatpush_store_duration_seconds_bucket{le=\"0.0001\"} 0",
            "chatpush_store_duration_seconds_bucket{le=\"0.00025\"} 1",
            "chatpush_store_duration_seconds_bucket{le=\"60\"} 1",
            "chatpush_store_duration_seconds_bucket{le=\"+Inf\"} 2",
            "chatpush_store_duration_seconds_sum 90.00025",
            "chatpush_store_duration_seconds_count 2",
            "chatpush_outbox_bytes 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split([' ', '{']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| family.ends_with("_seconds")).unwrap_or(name);
            assert!(
                text.contains(&format!("# HELP {family} ")) && text.contains(&format!("# TYPE {family} "))
            );
        }
    }
}
