//! Where settings come from: the environment over the file, and a list of everything that was wrong.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Mistake, Mistakes};

const DEFAULT_FILE: &str = "chatpush.toml";

/// The settings as they were written, and the mistakes found so far.
pub(super) struct Source<E> {
    file: BTreeMap<String, String>,
    env: E,
    mistakes: Vec<Mistake>,
}

impl<E: Fn(&str) -> Option<String>> Source<E> {
    pub(super) fn read(file: Option<&Path>, env: E) -> Self {
        let mut source = Self { file: BTreeMap::new(), env, mistakes: Vec::new() };
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => match text.parse::<toml::Table>() {
                Ok(table) => source.flatten("", &table),
                Err(error) => source.mistake(&path.display().to_string(), error.message()),
            },
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => source.mistake(&path.display().to_string(), &error.to_string()),
        }
        source
    }

    /// The setting, its default if it is not set, or nothing and a mistake.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        variable: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (name, text) = self.take(key, variable).unwrap_or((key.to_owned(), default.to_owned()));
        parse(&text).map_err(|what| self.mistake(&name, &what)).ok()
    }

    /// The setting, or nothing and a mistake if it is not set or wrong.
    pub(super) fn required<T>(
        &mut self,
        key: &str,
        variable: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some((name, text)) = self.take(key, variable) else {
            self.mistake(variable, &format!("must be set, here or as `{key}` in {DEFAULT_FILE}"));
            return None;
        };
        parse(&text).map_err(|what| self.mistake(&name, &what)).ok()
    }

    /// The variable of a setting that is called as in the file.
    pub(super) fn variable(key: &str) -> String {
        format!("CHATPUSH_{}", key.to_uppercase().replace('.', "_"))
    }

    /// A setting of the file alone.
    pub(super) fn in_file(&mut self, key: &str) -> Option<String> {
        self.file.remove(key)
    }

    pub(super) fn mistake(&mut self, name: &str, what: &str) {
        self.mistakes.push(Mistake { name: name.to_owned(), what: what.to_owned() });
    }

    /// The configuration, unless something was wrong or the file holds what nothing reads.
    pub(super) fn finish<T>(mut self, build: impl FnOnce() -> Option<T>) -> Result<T, Mistakes> {
        for key in std::mem::take(&mut self.file).into_keys() {
            self.mistake(&key, "is no setting of chatpushd");
        }
        if !self.mistakes.is_empty() {
            return Err(Mistakes(self.mistakes));
        }
        build().ok_or(Mistakes(Vec::new()))
    }

    fn take(&mut self, key: &str, variable: &str) -> Option<(String, String)> {
        let in_file = self.file.remove(key).map(|text| (key.to_owned(), text));
        (self.env)(variable).map(|text| (variable.to_owned(), text)).or(in_file)
    }

    fn flatten(&mut self, path: &str, table: &toml::Table) {
        for (key, value) in table {
            let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match value {
                toml::Value::Table(table) => self.flatten(&key, table),
                toml::Value::String(text) => _ = self.file.insert(key, text.clone()),
                toml::Value::Array(_) => self.mistake(&key, "must be a single value"),
                scalar => _ = self.file.insert(key, scalar.to_string()),
            }
        }
    }
}
