//! The gauges of `GET /metrics`: read when they are asked for.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::process;
use super::state::State;
use crate::hub::Hub;
use crate::services::Services;

/// A gauge of a number with a fraction.
type Fraction = Gauge<f64, AtomicU64>;

/// The gauges of this daemon and of the installation. What is not known has no value, so that nobody takes an old
/// one, or 0, for the truth.
pub(super) fn registry(services: &Services, hub: &Hub, state: &State) -> Registry {
    let mut registry = Registry::default();
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    registry.register("chatpush_build", "The version of this daemon", Info::new(version));
    let mut gauge = |name, help, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(number(value));
        registry.register(name, help, gauge);
    };
    gauge(
        "chatpush_outbox_bytes",
        "Bytes queued for clients, stored messages on their way included",
        hub.queued_bytes() as u64,
    );
    gauge("chatpush_redis_up", "Whether this daemon can use Redis", state.redis.is_ok().into());
    if let Some(mysql) = &state.mysql {
        gauge("chatpush_mysql_up", "Whether this daemon can use MySQL", mysql.is_ok().into());
    }
    // Where nothing is stored, nobody writes.
    if let (Ok(backlog), Some(_)) = (&state.redis, &services.store) {
        let writes = backlog.writer.as_ref() == Some(&services.daemon);
        gauge("chatpush_writer", "Whether this daemon is the writer", writes.into());
    }
    if let Some(Ok(counts)) = &state.mysql {
        gauge("chatpush_dead_letters", "Dead letters in chatpush_dead", counts.dead_letters);
        if let Some(due) = counts.due {
            gauge("chatpush_due_users", "Users of whom somebody is to be told that messages wait", due);
        }
    }
    let reloads = services.config.live.reading().refused.is_none();
    gauge(
        "chatpush_config_last_reload_successful",
        "Whether the configuration was read at last",
        reloads.into(),
    );
    if services.config.webhook.is_some() {
        let up = services.webhook_error.get().is_none();
        gauge("chatpush_webhook_up", "Whether the last webhook of this daemon was accepted", up.into());
    }
    if let Some(waiting) = state.webhooks_waiting(services) {
        gauge("chatpush_webhooks_waiting", "Webhooks that the application has not accepted", waiting);
    }
    let oldest = state.oldest_waiting().filter(|_| services.store.is_some()).map(|oldest| {
        let help = "How long the oldest log entry waits for MySQL, 0 if none does";
        ("chatpush_oldest_waiting_seconds", help, oldest.as_secs_f64())
    });
    for (name, help, value) in process::gauges().into_iter().chain(oldest) {
        let gauge = Fraction::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let cpu = Counter::<f64, AtomicU64>::default();
    cpu.inc_by(process::cpu_seconds());
    registry.register("process_cpu_seconds", "Processor time that this process has used", cpu);
    if let (Ok(backlog), Some(_)) = (&state.redis, &services.store) {
        let entries = Family::<[(&'static str, String); 1], Gauge>::default();
        for log in &backlog.logs {
            let partition = log.partition.to_string();
            entries.get_or_create(&[("partition", partition)]).set(number(log.entries));
        }
        registry.register("chatpush_log_entries", "Entries in the log of a partition", entries);
    }
    registry
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
