//! Structured logs on standard error. Values are fields, a failure is logged once, where it is handled, and
//! neither a secret nor the content of a message is ever logged.

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(log: &Log) {
    // The filter was parsed when the configuration was read, so the fallback is never used.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_default();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if log.json { builder.json().try_init() } else { builder.try_init() };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
}
