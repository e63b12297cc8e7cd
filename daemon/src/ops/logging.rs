//! Structured logs on standard error. Values are fields, a failure is logged once, where it is handled, and
//! neither a secret nor the content of a message is ever logged.

use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Log;

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(log: &Log) {
    // The filter was parsed when the configuration was read, so the fallback is never used.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_default();
    // Libraries print what they send and receive below INFO; that holds messages and tokens.
    let own =
        FilterFn::new(|about| about.target().starts_with("chatpush") || *about.level() <= LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(own).with(filter);
    let started =
        if log.json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
