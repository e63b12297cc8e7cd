//! The environment variables that begin with `CHATPUSH_`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use super::ConfigError;
use super::file::read_value;
use super::setting::Setting;

const PREFIX: &str = "CHATPUSH_";

/// A variable with this behind its name names a file that holds the value: a secret of systemd or of Docker.
const FILE_SUFFIX: &str = "_FILE";

/// How alike two names must be for one to be taken for a misspelling of the other, from 0 to 1.
const SIMILAR: f64 = 0.8;

/// A variable that looks like a setting and is none. It has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The variable that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a setting of chatpushd and has no effect", self.name)?;
        self.nearest.iter().try_for_each(|nearest| write!(f, "; did you mean {nearest}?"))
    }
}

/// The variables that have not been read yet.
#[derive(Debug, Default)]
pub(super) struct Environment {
    values: BTreeMap<String, OsString>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { values: named.filter(|(name, _)| name.starts_with(PREFIX)).collect() }
    }

    /// The value of a variable, which counts as read from now on: its own, or the content of the file that it
    /// names with `_FILE` behind its name.
    pub(super) fn take(&mut self, name: &str) -> Option<Result<String, ConfigError>> {
        let by_file = format!("{name}{FILE_SUFFIX}");
        let path = self.values.remove(&by_file);
        match (self.take_own(name), path) {
            (own, None) => own,
            (None, Some(path)) => {
                Some(read_value(Path::new(&path)).map_err(|message| wrong(&by_file, message)))
            }
            (Some(_), Some(_)) => {
                Some(Err(wrong(name, format!("is set, and {by_file} too: set one of them"))))
            }
        }
    }

    /// The value of a variable alone, which counts as read from now on.
    pub(super) fn take_own(&mut self, name: &str) -> Option<Result<String, ConfigError>> {
        let value = self.values.remove(name)?;
        Some(value.into_string().map_err(|_| wrong(name, "is not valid UTF-8".to_owned())))
    }

    /// The names of the variables that begin like this and have not been read.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        self.values.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }

    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.values.get(name).is_some_and(|is| is == value)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.values.contains_key(&format!("{name}{FILE_SUFFIX}"))
    }

    /// The variables that are neither a setting nor another variable of the daemon.
    pub(super) fn unknown(self, settings: &[&'static Setting]) -> Vec<UnknownVariable> {
        let others = [
            Some("CHATPUSH_CONFIG"),
            #[cfg(feature = "fault_injection")]
            Some("CHATPUSH_FAULT_INJECTION"),
        ];
        let unknown = self.values.into_keys().filter(|name| !others.contains(&Some(name)));
        unknown.map(|name| UnknownVariable { nearest: nearest(&name, settings), name }).collect()
    }
}

fn wrong(name: &str, message: String) -> ConfigError {
    ConfigError { place: None, name: name.to_owned(), message }
}

/// The variable that was probably meant.
fn nearest(name: &str, settings: &[&'static Setting]) -> Option<String> {
    let derived = settings.iter().map(|setting| (setting.derived_env(), setting.env()));
    let named = settings.iter().map(|setting| (setting.env(), setting.env()));
    most_similar(name.trim_start_matches(PREFIX), derived.chain(named), |candidate| {
        candidate.trim_start_matches(PREFIX)
    })
}

/// The second of the pair whose first is most similar to `name`, if it is similar enough.
pub(super) fn most_similar<T>(
    name: &str,
    candidates: impl Iterator<Item = (String, T)>,
    part: impl Fn(&str) -> &str,
) -> Option<T> {
    let scored = candidates.map(|(candidate, means)| (strsim::jaro_winkler(name, part(&candidate)), means));
    let (similarity, nearest) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (similarity >= SIMILAR).then_some(nearest)
}
