//! What is wrong with a configuration.

use std::fmt;

/// Everything that is wrong, so that it can be corrected in one go.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// In the order in which the settings are read.
    pub errors: Vec<ConfigError>,
    /// Whether `log.format` asks for JSON.
    pub json: bool,
}

/// A setting with a wrong value, or a name that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File and line, if the value was read from the file.
    pub place: Option<String>,
    /// The environment variable, the key in the file, or the path of the file: where the value was read.
    pub name: String,
    /// What is wrong and what would be right. Never contains a secret.
    pub message: String,
}

/// A setting that was given, of something that is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleSetting {
    /// The environment variable, or the key in the file.
    pub name: String,
    /// The setting that switches it on.
    pub switch: &'static str,
}

impl fmt::Display for IdleSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, switch } = self;
        write!(f, "{name} has no effect while {switch} is off")
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chatpushd: the configuration cannot be used:")?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.name, self.message)
    }
}
