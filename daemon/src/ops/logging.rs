//! Structured logs on standard error. Values are fields, and a failure is logged once, where it is handled.
//! Secrets and message contents are not logged; only MySQL's own reason for refusing an entry may quote a
//! part of it.

use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Log;

/// Starts logging for the process. A second call has no effect.
pub fn start(log: &Log) {
    // The filter was validated with the configuration, so the fallback is never used.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_default();
    // Below INFO, libraries log what they send and receive, which includes messages and tokens.
    let own =
        FilterFn::new(|about| about.target().starts_with("chatpush") || *about.level() <= LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(own).with(filter);
    let started =
        if log.json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
    if started.is_err() {
        tracing::debug!("logging was already started");
    }
}
