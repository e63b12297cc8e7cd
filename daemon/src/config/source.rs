//! Reads settings: the environment overrides the file. Errors are collected.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::{Environment, most_similar};
use super::file::{DEFAULT_FILE, File, FileValue, read_value};
use super::reload::Fingerprints;
use super::setting::{Default, Setting, boolean};
use super::{ConfigError, ConfigErrors, IdleSetting, UnknownVariable};

/// The values as they were written, and the errors so far.
///
/// A method that reads a setting returns `None` after an error, so that the other settings are read too.
pub(super) struct Source {
    /// The table of settings.
    settings: Vec<&'static Setting>,
    /// What is left of its values at the end is unknown.
    file: File,
    environment: Environment,
    errors: Vec<ConfigError>,
    json: bool,
    fingerprints: Fingerprints,
    /// The settings that were given.
    given: BTreeMap<&'static str, Given>,
    idle: Vec<IdleSetting>,
}

/// A setting that somebody has given.
struct Given {
    name: String,
    place: Option<String>,
    /// Whether it is the default all the same.
    is_default: bool,
}

/// What was read beside the settings.
#[derive(Debug)]
pub(super) struct Read {
    /// The file; none if there is none.
    pub(super) file: Option<PathBuf>,
    /// The variables that nothing reads.
    pub(super) unknown_variables: Vec<UnknownVariable>,
    /// The settings that have no effect.
    pub(super) idle_settings: Vec<IdleSetting>,
    pub(super) fingerprints: Fingerprints,
}

/// A value as text, and where it was found.
struct Found {
    name: String,
    place: Option<String>,
    text: String,
    /// Whether nobody has given it.
    is_default: bool,
}

impl Given {
    /// None if nobody has given it.
    fn of(setting: &Setting, found: Option<&Found>) -> Option<Self> {
        let Some(Found { name, place, text, is_default }) = found else {
            // It was given, and cannot be read.
            let has_default = matches!(setting.default, Default::Value(_));
            return has_default.then(|| Self { name: setting.key.to_owned(), place: None, is_default: true });
        };
        let says_default = matches!(setting.default, Default::Value(default) if default == text);
        let given = Self { name: name.clone(), place: place.clone(), is_default: says_default };
        (!is_default).then_some(given)
    }
}

impl Source {
    pub(super) fn open(
        settings: impl Iterator<Item = &'static Setting>,
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut file = File::read(file);
        let environment = Environment::new(variables);
        // Known before the settings are read, for the errors in them.
        let in_file = file.values.get("log.format").is_some_and(|value| value.text == "json");
        let json = environment.is("CHATPUSH_LOG_FORMAT", "json")
            || in_file && !environment.contains("CHATPUSH_LOG_FORMAT");
        let errors = std::mem::take(&mut file.errors);
        Self {
            settings: settings.collect(),
            file,
            environment,
            errors,
            json,
            fingerprints: Fingerprints::default(),
            given: BTreeMap::new(),
            idle: Vec::new(),
        }
    }

    pub(super) fn parse<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Some(setting) = self.settings.iter().copied().find(|setting| setting.key == key) else {
            self.error(key, "is read, but missing in the table of settings");
            return None;
        };
        let found = self.value(setting);
        if let Some(given) = Given::of(setting, found.as_ref()) {
            self.given.insert(setting.key, given);
        }
        self.fingerprints.note(setting.key, found.as_ref().map(|found| found.text.as_str()));
        let Found { name, place, text, .. } = found?;
        let parsed = setting.kind.check(&text).and_then(|()| parse(&text));
        parsed.map_err(|message| self.errors.push(ConfigError { place, name, message })).ok()
    }

    /// A setting that may be missing. `None` also after an error.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parse(key, parse)
    }

    /// The settings of a table whose keys the operator chooses, by key. `row` is its row in the table of
    /// settings: the name behind its last full stop stands for every key. Keys of variables are lower-case.
    pub(super) fn chosen(&mut self, row: &str) -> BTreeMap<String, String> {
        let Some(setting) = self.settings.iter().copied().find(|setting| setting.key == row) else {
            self.error(row, "is read, but missing in the table of settings");
            return BTreeMap::new();
        };
        let (table, name) = setting.table_and_name();
        let (table, variables) = (format!("{table}."), setting.env().replace(name, ""));
        let keys: Vec<_> = self.file.values.keys().filter(|key| key.starts_with(&table)).cloned().collect();
        let mut chosen = BTreeMap::new();
        for key in keys {
            if let Some(FileValue { text, .. }) = self.file.values.remove(&key) {
                chosen.insert(key[table.len()..].to_owned(), text);
            }
        }
        for variable in self.environment.names(&variables) {
            match self.environment.take_own(&variable) {
                Some(Ok(text)) => _ = chosen.insert(variable[variables.len()..].to_lowercase(), text),
                Some(Err(error)) => self.errors.push(error),
                None => {}
            }
        }
        self.fingerprints.note(setting.key, Some(&format!("{chosen:?}")));
        chosen
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

    /// Reads no setting whose key begins like this. It may be set all the same.
    pub(super) fn skip(&mut self, keys: &str) {
        for setting in self.settings.iter().filter(|setting| setting.key.starts_with(keys)) {
            self.file.values.remove(setting.key);
            self.environment.take(&setting.env());
        }
    }

    /// `switch` was read, and the other settings of its table have no effect without it: those that were given are
    /// wrong where it is missing. Whoever has switched it off by its default may keep them, and is told.
    pub(super) fn require(&mut self, switch: &'static str, fix: &str) {
        let table = switch.rsplit_once('.').map_or("", |(table, _)| table);
        let in_table = |key: &str| key.rsplit_once('.').is_some_and(|(found, _)| found == table);
        let is_off = self.given.contains_key(switch);
        for (key, Given { name, place, is_default }) in &self.given {
            if *is_default || *key == switch || !in_table(key) {
                continue;
            }
            if is_off {
                self.idle.push(IdleSetting { name: name.clone(), switch });
            } else {
                let message = format!("needs {switch}, which is not set: {fix}, or remove this setting");
                self.errors.push(ConfigError { place: place.clone(), name: name.clone(), message });
            }
        }
    }

    pub(super) fn error(&mut self, name: &str, message: &str) {
        let (name, message) = (name.to_owned(), message.to_owned());
        self.errors.push(ConfigError { place: None, name, message });
    }

    /// The configuration and what was read beside it, unless there was an error or the file has an
    /// unknown key. An unknown variable is no error: Kubernetes sets some for every service of that name.
    pub(super) fn finish<T>(mut self, config: Option<T>) -> Result<(T, Read), ConfigErrors> {
        for (name, FileValue { place, .. }) in std::mem::take(&mut self.file.values) {
            let settings = self.settings.iter().map(|setting| (setting.key.to_owned(), setting.key));
            let nearest = most_similar(&name, settings, |key| key);
            let hint = nearest.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
            let message = format!("is not a setting of chatpushd{hint}");
            self.errors.push(ConfigError { place: Some(place), name, message });
        }
        match config {
            Some(config) if self.errors.is_empty() => {
                let (file, fingerprints) = (self.file.path, self.fingerprints);
                let unknown_variables = self.environment.unknown(&self.settings);
                Ok((config, Read { file, unknown_variables, idle_settings: self.idle, fingerprints }))
            }
            _ => Err(ConfigErrors { errors: self.errors, json: self.json }),
        }
    }

    /// The value as text, and where it was found.
    fn value(&mut self, setting: &Setting) -> Option<Found> {
        let (key, variable) = (setting.key, setting.env());
        let in_file = self.in_file(key);
        match self.environment.take(&variable) {
            Some(Ok(text)) => return Some(Found { name: variable, place: None, text, is_default: false }),
            Some(Err(error)) => {
                self.errors.push(error);
                return None;
            }
            None => {}
        }
        match (in_file, &setting.default) {
            (Some(Ok(found)), _) => Some(found),
            (Some(Err(error)), _) => {
                self.errors.push(error);
                None
            }
            (None, Default::Value(default)) => {
                let (name, text) = (key.to_owned(), (*default).to_owned());
                Some(Found { name, place: None, text, is_default: true })
            }
            (None, Default::Unset { .. }) => None,
            // The file may have it, so nothing is known to be missing.
            (None, Default::Required { .. }) if self.file.unusable => None,
            (None, Default::Required { .. }) => {
                self.error(&variable, &format!("is required, here or as `{key}` in {DEFAULT_FILE}"));
                None
            }
        }
    }

    /// What the file says: the value, or the content of the file that it names with `_file` behind the key.
    fn in_file(&mut self, key: &str) -> Option<Result<Found, ConfigError>> {
        let by_file = format!("{key}_file");
        let own = self.file.values.remove(key);
        let Some(FileValue { text: path, place }) = self.file.values.remove(&by_file) else {
            return own.map(|FileValue { text, place }| {
                Ok(Found { name: key.to_owned(), place: Some(place), text, is_default: false })
            });
        };
        let place = Some(place);
        if own.is_some() {
            let message = format!("is set, and {key} too: set one of them");
            return Some(Err(ConfigError { place, name: by_file, message }));
        }
        Some(match read_value(Path::new(&path)) {
            Ok(text) => Ok(Found { name: by_file, place, text, is_default: false }),
            Err(message) => Err(ConfigError { place, name: by_file, message }),
        })
    }
}
