//! What is logged, and how.

use tracing_subscriber::EnvFilter;

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("log.filter", "info", "Log level, or a filter in the syntax of tracing-subscriber")
        .details("Example: `info,chatpush_daemon=debug`.")
        .variable("CHATPUSH_LOG"),
    Setting::choice("log.format", &["text", "json"], "Log format").details("`json`: one object per line."),
];

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level, or a filter in the syntax of `tracing-subscriber`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

impl Log {
    pub(super) fn read(source: &mut Source<'_>) -> Option<Self> {
        let filter = source.parse("log.filter", filter);
        let format = source.text("log.format");
        Some(Self { filter: filter?, json: format? == "json" })
    }
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| format!("{text:?}: {error}"))?;
    Ok(text.to_owned())
}
