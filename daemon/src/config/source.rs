//! Reads settings: the environment overrides the file. Errors are collected.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::setting::{Default, Setting, boolean};
use super::{ConfigError, ConfigErrors};

const DEFAULT_FILE: &str = "chatpush.toml";

/// How alike two keys must be for one to be taken for a misspelling of the other, from 0 to 1.
const SIMILAR: f64 = 0.8;

/// The values as they were written, and the errors so far.
///
/// A method that reads a setting returns `None` after an error, so that the other settings are read too.
pub(super) struct Source<'a> {
    /// The table of settings.
    settings: Vec<&'static Setting>,
    /// By dotted key. What is left at the end is unknown.
    file: BTreeMap<String, String>,
    env: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<ConfigError>,
}

impl<'a> Source<'a> {
    pub(super) fn open(
        settings: impl Iterator<Item = &'static Setting>,
        file: Option<&Path>,
        env: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let settings = settings.collect();
        let mut source = Self { settings, file: BTreeMap::new(), env, errors: Vec::new() };
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => match text.parse::<toml::Table>() {
                Ok(table) => source.flatten("", &table),
                Err(error) => source.error(&path.display().to_string(), error.message()),
            },
            Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => {}
            Err(error) => source.error(&path.display().to_string(), &error.to_string()),
        }
        source
    }

    /// A source in which nothing is set.
    #[cfg(test)]
    pub(super) fn defaults(settings: impl Iterator<Item = &'static Setting>) -> Self {
        let settings = settings.collect();
        Self { settings, file: BTreeMap::new(), env: &|_| None, errors: Vec::new() }
    }

    pub(super) fn parse<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Some(setting) = self.settings.iter().copied().find(|setting| setting.key == key) else {
            self.error(key, "is read, but missing in the table of settings");
            return None;
        };
        let (name, text) = self.value(setting)?;
        let parsed = setting.kind.check(&text).and_then(|()| parse(&text));
        parsed.map_err(|message| self.error(&name, &message)).ok()
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.parse(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        self.parse(key, |text| boolean(text).ok_or_else(|| "must be true or false".to_owned()))
    }

    pub(super) fn integer(&mut self, key: &str) -> Option<u32> {
        self.parse(key, |text| text.parse().map_err(|_| "must be a whole number".to_owned()))
    }

    pub(super) fn size(&mut self, key: &str) -> Option<usize> {
        self.integer(key).map(|number| number as usize)
    }

    pub(super) fn seconds(&mut self, key: &str) -> Option<Duration> {
        self.integer(key).map(|number| Duration::from_secs(number.into()))
    }

    pub(super) fn milliseconds(&mut self, key: &str) -> Option<Duration> {
        self.integer(key).map(|number| Duration::from_millis(number.into()))
    }

    pub(super) fn error(&mut self, name: &str, message: &str) {
        self.errors.push(ConfigError { name: name.to_owned(), message: message.to_owned() });
    }

    /// The configuration, unless there was an error or the file has an unknown key.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<T, ConfigErrors> {
        for key in std::mem::take(&mut self.file).into_keys() {
            let hint = self.nearest(&key).map(|nearest| format!("; did you mean `{nearest}`?"));
            self.error(&key, &format!("is not a setting of chatpushd{}", hint.unwrap_or_default()));
        }
        match config {
            Some(config) if self.errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(self.errors)),
        }
    }

    /// The key that was probably meant.
    fn nearest(&self, key: &str) -> Option<&'static str> {
        let candidates = self.settings.iter();
        let candidates = candidates.map(|setting| (strsim::jaro_winkler(key, setting.key), setting.key));
        let (similarity, nearest) = candidates.max_by(|one, other| one.0.total_cmp(&other.0))?;
        (similarity >= SIMILAR).then_some(nearest)
    }

    /// The value as text, and the name under which it was found.
    fn value(&mut self, setting: &Setting) -> Option<(String, String)> {
        let (key, variable) = (setting.key, setting.env());
        let in_file = self.file.remove(key);
        if let Some(text) = (self.env)(&variable) {
            return Some((variable, text));
        }
        match (in_file, &setting.default) {
            (Some(text), _) => Some((key.to_owned(), text)),
            (None, Default::Value(default)) => Some((key.to_owned(), (*default).to_owned())),
            (None, Default::Required { .. }) => {
                self.error(&variable, &format!("is required, here or as `{key}` in {DEFAULT_FILE}"));
                None
            }
        }
    }

    /// Takes over a table of the file and those in it.
    fn flatten(&mut self, path: &str, table: &toml::Table) {
        for (key, value) in table {
            let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                toml::Value::Table(table) => self.flatten(&key, table),
                toml::Value::String(text) => _ = self.file.insert(key, text.clone()),
                toml::Value::Array(_) => {
                    self.error(&key, "must be one value; a list is a text with spaces between its items");
                }
                scalar => _ = self.file.insert(key, scalar.to_string()),
            }
        }
    }
}
