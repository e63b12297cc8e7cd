//! What is logged, and how.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::environment::most_similar;
use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("log.filter", "info", "Log level, or a filter in the syntax of tracing-subscriber")
        .details(
            "`off`, `error`, `warn`, `info`, `debug` or `trace`; or several parts, such as \
             `info,chatpush_daemon=debug`.",
        )
        .variable("CHATPUSH_LOG")
        .reloads(),
    Setting::choice("log.format", &["text", "json"], "Log format")
        .details("`json`: one object per line, also for the error that ends the process."),
];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The targets of the daemon's own lines.
const OWN_TARGETS: [&str; 2] = ["chatpush_daemon", "chatpush::"];

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level, or a filter in the syntax of `tracing-subscriber`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

impl Log {
    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let filter = source.parse("log.filter", filter);
        let format = source.text("log.format");
        Some(Self { filter: filter?, json: format? == "json" })
    }

    /// A filter in its short form.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as for the setting.
    pub(crate) fn checked_filter(text: &str) -> Result<String, String> {
        filter(text)
    }
}

/// The library takes any word for the name of a target, so a misspelt level would silence the daemon. What
/// is neither a level nor a part of the daemon's own targets is refused, unless it has a level of its own.
fn filter(text: &str) -> Result<String, String> {
    // The library does not allow spaces.
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let text = parts.join(",");
    EnvFilter::try_new(&text).map_err(|error| format!("{text:?}: {error}"))?;
    let mut covers_own_lines = false;
    for part in parts {
        let target = part.split(['=', '[']).next().unwrap_or_default();
        let is_own = OWN_TARGETS.iter().any(|own| own.starts_with(target) || target.starts_with(own));
        if part.parse::<LevelFilter>().is_ok() || target.is_empty() || is_own {
            covers_own_lines = true;
        } else if target == part {
            return Err(format!("{part:?} is not a level: {}{}", LEVELS.join(", "), did_you_mean(part)));
        } else if target.starts_with("chatpush") {
            return Err(format!("{target:?} logs nothing: the daemon's own target is chatpush_daemon"));
        }
    }
    if !covers_own_lines {
        return Err(format!("{text:?} leaves out the daemon's own lines; begin with a level: info,{text}"));
    }
    Ok(text)
}

fn did_you_mean(word: &str) -> String {
    let levels = LEVELS.map(|level| (level.to_owned(), level));
    let nearest = most_similar(&word.to_lowercase(), levels.into_iter(), |level| level);
    nearest.map(|level| format!("; did you mean {level}?")).unwrap_or_default()
}
