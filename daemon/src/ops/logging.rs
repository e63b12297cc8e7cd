//! Structured logs on standard error. Values are fields, and a failure is logged once, where it is handled.
//! Secrets and message contents are not logged; only MySQL's own reason for refusing an entry may quote a
//! part of it.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter};
use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::base::error_text::error_text;
use crate::base::output;
use crate::config::{Config, ConfigErrors, Log};

/// The filter of this process, which can be changed.
struct Active {
    handle: reload::Handle<EnvFilter, Layered<FilterFn, Registry>>,
    text: Mutex<String>,
}

static ACTIVE: OnceLock<Active> = OnceLock::new();

/// Changes what is logged from now on.
///
/// # Errors
///
/// What is wrong with the filter.
pub(crate) fn change_filter(text: &str) -> Result<(), String> {
    let text = Log::checked_filter(text)?;
    let filter = EnvFilter::try_new(&text).map_err(|error| error.to_string())?;
    let Some(active) = ACTIVE.get() else { return Err("logging was not started".to_owned()) };
    active.handle.reload(filter).map_err(|error| error.to_string())?;
    (*active.text.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&text);
    tracing::info!(filter = text, "the log filter was changed");
    Ok(())
}

/// What is logged now.
pub(crate) fn filter() -> String {
    let text = ACTIVE.get().map(|active| active.text.lock().unwrap_or_else(PoisonError::into_inner).clone());
    text.unwrap_or_default()
}

/// Starts logging for the process, and names the environment variables that have no effect. A second call has
/// no effect.
pub fn start(config: &Config) {
    let (live, json) = (config.live.get(), config.log_json);
    let filter = &live.log_filter;
    // The filter was validated with the configuration, so the fallback is never used.
    let (filter_layer, handle) = reload::Layer::new(EnvFilter::try_new(filter).unwrap_or_default());
    // Below INFO, libraries log what they send and receive, which includes messages and tokens.
    let own: FilterFn =
        FilterFn::new(|about| about.target().starts_with("chatpush") || *about.level() <= LevelFilter::INFO);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(own).with(filter_layer);
    let started = if json { registry.with(lines.json()).try_init() } else { registry.with(lines).try_init() };
    if started.is_err() {
        tracing::debug!("logging was already started");
        return;
    }
    _ = ACTIVE.set(Active { handle, text: Mutex::new(filter.clone()) });
    if json {
        std::panic::set_hook(Box::new(|panic| {
            let error = panic.to_string();
            unfiltered_json(|| tracing::error!(error, "panic"));
        }));
    }
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

/// Reports a configuration that cannot be used, in the format that it asks for.
pub fn report_config_errors(refused: &ConfigErrors) {
    if !refused.json {
        output::error_line(refused);
        return;
    }
    for error in &refused.errors {
        let error = error.to_string();
        unfiltered_json(|| tracing::error!(error, "the configuration cannot be used"));
    }
}

/// Reports the error that ends the process, in the configured format and whatever the filter.
pub fn report_fatal(error: &anyhow::Error, json: bool) {
    let error = error_text(error.as_ref());
    if json {
        unfiltered_json(|| tracing::error!(error, "cannot go on"));
    } else {
        output::error_line(format_args!("chatpushd: {error}"));
    }
}

/// Writes what `log` logs as JSON, without the filter and before logging has started.
fn unfiltered_json(log: impl FnOnce()) {
    let lines = tracing_subscriber::fmt().json().with_writer(std::io::stderr).finish();
    tracing::subscriber::with_default(lines, log);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a process that panics writes to standard error. The process is this test.
    #[test]
    fn a_panic_is_json_where_the_log_is() {
        const CHILD: &str = "CHATPUSH_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            let variables = [
                ("CHATPUSH_LOG_FORMAT", "json"),
                ("CHATPUSH_LOG", "off"),
                ("CHATPUSH_MYSQL_URL", "mysql://app@127.0.0.1/app"),
                ("CHATPUSH_SECRET", "0123456789abcdef0123456789abcdef"),
            ];
            let config = Config::load(None, variables.map(|(name, value)| (name.into(), value.into())));
            start(&config.unwrap());
            panic!("broken: {}", 7);
        }
        let name = "ops::logging::tests::a_panic_is_json_where_the_log_is";
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args(["--exact", name]).env(CHILD, "1").output().unwrap();
        assert!(!output.status.success());
        let errors = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<serde_json::Value> =
            errors.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let [line] = lines.as_slice() else { panic!("one line: {errors}") };
        assert_eq!(
            (line["level"].as_str(), line["fields"]["message"].as_str()),
            (Some("ERROR"), Some("panic"))
        );
        assert!(
            line["fields"]["error"].as_str().is_some_and(|error| error.contains("broken: 7")),
            "{errors}"
        );
    }
}
