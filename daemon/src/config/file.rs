//! The configuration file: its values as texts, each with the line that it stands on.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use toml::{Table, Value};

use super::ConfigError;

/// The file that is read if none is named and it exists.
pub(super) const DEFAULT_FILE: &str = "chatpush.toml";

/// The file that is read if none is named and the working directory has no [`DEFAULT_FILE`].
const SYSTEM_FILE: &str = "/etc/chatpush/chatpush.toml";

/// Reads a file that holds the value of one setting, as systemd and Docker hand over secrets. The end of the last
/// line does not count.
pub(super) fn read_value(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

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
    /// Where it is; none if there is none.
    pub(super) path: Option<PathBuf>,
    /// Whether the file could not be read or is not TOML, so that nothing is known about its values.
    pub(super) unusable: bool,
}

impl File {
    /// Reads `file`, which must exist; or without one the [`DEFAULT_FILE`], else the [`SYSTEM_FILE`], if it exists.
    pub(super) fn read(file: Option<&Path>) -> Self {
        match file {
            Some(path) => Self::read_if_there(path).unwrap_or_else(|| {
                Self::unusable(path.display().to_string(), "there is no such file".to_owned())
            }),
            None => Self::first_of(&[DEFAULT_FILE, SYSTEM_FILE].map(Path::new)),
        }
    }

    /// The first of these files that exists. An empty one if none does.
    fn first_of(paths: &[&Path]) -> Self {
        paths.iter().find_map(|path| Self::read_if_there(path)).unwrap_or_default()
    }

    /// None if there is no such file. One that this user may not read is unusable, not missing.
    fn read_if_there(path: &Path) -> Option<Self> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Some(Self { path: Some(path.to_owned()), ..Self::parse(&name, &text) }),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Some(Self::unusable(name, format!("{error}: run this as the user of the daemon")))
            }
            Err(error) => Some(Self::unusable(name, error.to_string())),
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
                let message = match (error.message(), error.span()) {
                    ("duplicate key", Some(span)) => duplicate(text, &span),
                    (message, _) => message.to_owned(),
                };
                return Self::unusable(format!("{name}{place}"), message);
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

/// What to do about a table, or a key, that is there for the second time.
fn duplicate(text: &str, at: &Range<usize>) -> String {
    let line = text.get(..at.start).map_or(0, |before| before.rfind('\n').map_or(0, |end| end + 1));
    let line = text.get(line..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim_start();
    if let Some((table, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return format!(
            "there are two tables [{table}]: write these settings into the first one, and remove this line"
        );
    }
    let key = text.get(at.clone()).unwrap_or_default();
    format!("{key} is set for the second time: remove one of the two")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_is_there_is_read() {
        let folder = std::env::temp_dir().join(format!("chatpush-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (missing, near, system) =
            (folder.join("missing.toml"), folder.join("near.toml"), folder.join("system.toml"));
        std::fs::write(&near, "prefix = 'near'").unwrap();
        std::fs::write(&system, "prefix = 'system'").unwrap();
        let prefix_of =
            |paths: &[&Path]| File::first_of(paths).values.get("prefix").map(|value| value.text.clone());
        assert_eq!(prefix_of(&[&near, &system]).as_deref(), Some("near"));
        assert_eq!(prefix_of(&[&missing, &system]).as_deref(), Some("system"));
        assert_eq!(prefix_of(&[&missing, &missing]), None);
        // What is there and cannot be read does not count as missing.
        assert!(File::first_of(&[&folder, &system]).unusable);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
