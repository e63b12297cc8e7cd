//! One row of the table of settings.

use std::ops::RangeInclusive;

/// A setting: its name, its default, and its description for `--help`, the example and the book.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its key in the file, with the table: `limits.connections`.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Default,
    /// One line, without a full stop and without the unit.
    summary: &'static str,
    details: &'static str,
    variable: Option<&'static str>,
    pub(super) reload: Reload,
}

/// What becomes of a setting that has changed when the configuration is read again (SIGHUP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// It needs a restart.
    Restart,
    /// It is applied.
    Applied,
    /// It is applied, unless this setting waits for a restart: the two are checked together.
    AppliedWith(&'static str),
}

/// What a value may be.
#[derive(Debug)]
pub(super) enum Kind {
    /// Any text. The code that reads the setting checks it.
    Text,
    Boolean,
    Integer {
        range: RangeInclusive<u32>,
        unit: &'static str,
    },
    Choice(&'static [&'static str]),
}

/// The value of a setting that is not set.
#[derive(Debug)]
pub(super) enum Default {
    Value(&'static str),
    /// There is none: the daemon does not start without the setting.
    Required {
        example: &'static str,
    },
    /// There is none, and the setting may be missing.
    Unset {
        example: &'static str,
    },
}

impl Setting {
    pub(super) const fn text(key: &'static str, default: &'static str, summary: &'static str) -> Self {
        Self::new(key, Kind::Text, Default::Value(default), summary)
    }

    pub(super) const fn required(key: &'static str, example: &'static str, summary: &'static str) -> Self {
        Self::new(key, Kind::Text, Default::Required { example }, summary)
    }

    pub(super) const fn optional(key: &'static str, example: &'static str, summary: &'static str) -> Self {
        Self::new(key, Kind::Text, Default::Unset { example }, summary)
    }

    pub(super) const fn boolean(key: &'static str, default: bool, summary: &'static str) -> Self {
        let default = if default { "true" } else { "false" };
        Self::new(key, Kind::Boolean, Default::Value(default), summary)
    }

    pub(super) const fn integer(
        key: &'static str,
        default: &'static str,
        range: RangeInclusive<u32>,
        unit: &'static str,
        summary: &'static str,
    ) -> Self {
        Self::new(key, Kind::Integer { range, unit }, Default::Value(default), summary)
    }

    /// The first choice is the default.
    pub(super) const fn choice(
        key: &'static str,
        choices: &'static [&'static str],
        summary: &'static str,
    ) -> Self {
        Self::new(key, Kind::Choice(choices), Default::Value(choices[0]), summary)
    }

    const fn new(key: &'static str, kind: Kind, default: Default, summary: &'static str) -> Self {
        Self { key, kind, default, summary, details: "", variable: None, reload: Reload::Restart }
    }

    /// Adds sentences for the example and the book.
    pub(super) const fn details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    /// Names the variable, where it is not the key in capitals.
    pub(super) const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// It is applied when the configuration is read again.
    pub(super) const fn reloads(self) -> Self {
        Self { reload: Reload::Applied, ..self }
    }

    /// So is this, unless the other setting waits for a restart.
    pub(super) const fn reloads_with(self, other: &'static str) -> Self {
        Self { reload: Reload::AppliedWith(other), ..self }
    }

    /// The environment variable: `CHATPUSH_LIMITS_CONNECTIONS` for `limits.connections`.
    pub(super) fn env(&self) -> String {
        self.variable.map_or_else(|| self.derived_env(), str::to_owned)
    }

    /// The key in capitals, as most variables are named.
    pub(super) fn derived_env(&self) -> String {
        format!("CHATPUSH_{}", self.key.to_uppercase().replace('.', "_"))
    }

    /// The table of the file, which is empty for the top level, and the key in it.
    pub(super) fn table_and_name(&self) -> (&'static str, &'static str) {
        self.key.rsplit_once('.').unwrap_or(("", self.key))
    }

    /// One line: the summary with the unit or the choices.
    pub(super) fn summary(&self) -> String {
        match self.kind {
            Kind::Integer { unit, .. } if !unit.is_empty() => format!("{}, in {unit}", self.summary),
            Kind::Choice(choices) => format!("{}: {}", self.summary, choices.join(" or ")),
            _ => self.summary.to_owned(),
        }
    }

    /// Summary, details and range in full sentences.
    pub(super) fn description(&self) -> String {
        let sentences = [format!("{}.", self.summary()), self.details.to_owned(), self.kind.range()];
        sentences.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Kind {
    /// Says what would be right if `text` is not a value of this kind.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let valid = match self {
            Self::Text => true,
            Self::Boolean => boolean(text).is_some(),
            Self::Integer { range, .. } => text.parse().is_ok_and(|number| range.contains(&number)),
            Self::Choice(choices) => choices.contains(&text),
        };
        if valid { Ok(()) } else { Err(format!("{text:?} must be {}", self.expected())) }
    }

    fn expected(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { range, unit } => {
                let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
                format!("a whole number{of} from {} to {}", range.start(), range.end())
            }
            Self::Choice(choices) => choices.join(" or "),
        }
    }

    /// The bounds of an integer as a sentence, where they are not obvious.
    fn range(&self) -> String {
        let Self::Integer { range, .. } = self else { return String::new() };
        match (range.start(), range.end()) {
            (0 | 1, &u32::MAX) => String::new(),
            (least, &u32::MAX) => format!("At least {least}."),
            (least, most) => format!("From {least} to {most}."),
        }
    }
}

/// Reads a truth value as PHP's ini files write them too.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}
