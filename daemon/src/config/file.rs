//! The configuration file: its values as texts, each with the line that it stands on.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use toml::de::DeTable;
use toml::{Table, Value};

use super::ConfigError;

/// The file that is read if none is named and it exists.
pub(super) const DEFAULT_FILE: &str = "chatpush.toml";

/// A value of the file.
#[derive(Debug)]
pub(super) struct FileValue {
    pub(super) text: String,
    /// File and line.
    pub(super) place: String,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    /// By dotted key.
    pub(super) values: BTreeMap<String, FileValue>,
    /// What is wrong with the file itself.
    pub(super) errors: Vec<ConfigError>,
    /// Whether the file could not be read or is not TOML, so that nothing is known about its values.
    pub(super) unusable: bool,
}

impl File {
    /// Reads `file`, which must exist; or without one the [`DEFAULT_FILE`], if it exists.
    pub(super) fn read(file: Option<&Path>) -> Self {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&path.display().to_string(), &text),
            Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => Self::unusable(path.display().to_string(), error.to_string()),
        }
    }

    fn parse(name: &str, text: &str) -> Self {
        // The first of the two has the values, the second the places.
        let parsed = text.parse::<Table>().and_then(|values| Ok((values, DeTable::parse(text)?)));
        let (values, spans) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let place = error.span().map_or_else(String::new, |span| position(text, span.start));
                // The library's longer text shows the line, which may hold a secret.
                return Self::unusable(format!("{name}{place}"), error.message().to_owned());
            }
        };
        let mut lines = BTreeMap::new();
        collect_lines("", spans.get_ref(), text, &mut lines);
        let mut file = Self::default();
        file.flatten("", values, &|key| format!("{name}{}", lines.get(key).map_or("", String::as_str)));
        file
    }

    fn unusable(name: String, message: String) -> Self {
        let error = ConfigError { place: None, name, message };
        Self { errors: vec![error], unusable: true, ..Self::default() }
    }

    /// Takes over a table and those in it.
    fn flatten(&mut self, path: &str, table: Table, place_of: &dyn Fn(&str) -> String) {
        for (key, value) in table {
            let key = dotted(path, &key);
            let place = place_of(&key);
            let text = match value {
                Value::Table(table) => {
                    self.flatten(&key, table, place_of);
                    continue;
                }
                Value::Array(_) => {
                    let message = "must be one value; a list is a text with spaces between its items";
                    let message = message.to_owned();
                    self.errors.push(ConfigError { place: Some(place), name: key, message });
                    continue;
                }
                Value::String(text) => text,
                scalar => scalar.to_string(),
            };
            self.values.insert(key, FileValue { text, place });
        }
    }
}

fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The line of each key, by dotted key.
fn collect_lines(path: &str, table: &DeTable<'_>, text: &str, lines: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let dotted = dotted(path, key.get_ref());
        if let Some(table) = value.get_ref().as_table() {
            collect_lines(&dotted, table, text, lines);
        }
        lines.insert(dotted, format!(":{}", line(text, key.span().start)));
    }
}

fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// Line and column.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(":{}:{column}", line(text, at))
}
