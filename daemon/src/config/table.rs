//! The table of settings. The parser, `--help`, chatpush.toml.example and the book are made from it.

use super::setting::Setting;
use super::{general, limits, logging, mysql, names, origins, redis, tls, tokens};

/// The rows, each part beside the code that reads it, in the order in which they are printed.
const PARTS: [&[Setting]; 9] = [
    tokens::SETTINGS,
    general::SETTINGS,
    origins::SETTINGS,
    tls::SETTINGS,
    limits::SETTINGS,
    redis::SETTINGS,
    mysql::SETTINGS,
    names::SETTINGS,
    logging::SETTINGS,
];

/// How alike two keys must be for one to be taken for a misspelling of the other, from 0 to 1.
const SIMILAR: f64 = 0.8;

/// A table of the file and its settings.
pub(super) struct Section {
    /// Empty for the settings at the top of the file.
    pub(super) name: &'static str,
    pub(super) settings: Vec<&'static Setting>,
}

pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    PARTS.into_iter().flatten()
}

pub(super) fn find(key: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.key == key)
}

/// The key that was probably meant.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let candidates = all().map(|setting| (strsim::jaro_winkler(key, setting.key), setting.key));
    let (similarity, nearest) = candidates.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (similarity >= SIMILAR).then_some(nearest)
}

/// All settings by table. A TOML file begins with those that are in none.
pub(super) fn sections() -> Vec<Section> {
    let mut sections = vec![Section { name: "", settings: Vec::new() }];
    for setting in all() {
        let (name, _) = setting.table_and_name();
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.settings.push(setting),
            None => sections.push(Section { name, settings: vec![setting] }),
        }
    }
    sections
}
