//! The table of settings. The parser, `--help`, chatpush.toml.example and the book are made from it.

use super::setting::Setting;
use super::{
    admin, general, history, limits, logging, mailbox, mysql, names, notify, origins, redis, tls, tokens,
    values, web_push, webhook,
};

/// The rows, each part beside the code that reads it, in the order in which they are printed.
const PARTS: [&[Setting]; 17] = [
    tokens::SETTINGS,
    general::SETTINGS,
    admin::SETTINGS,
    mysql::STORAGE,
    origins::SETTINGS,
    tls::SETTINGS,
    limits::SETTINGS,
    redis::SETTINGS,
    mysql::SETTINGS,
    names::SETTINGS,
    history::SETTINGS,
    values::SETTINGS,
    mailbox::SETTINGS,
    notify::SETTINGS,
    webhook::SETTINGS,
    web_push::SETTINGS,
    logging::SETTINGS,
];

/// A table of the file and its settings.
pub(super) struct Section {
    /// Empty for the settings at the top of the file.
    pub(super) name: &'static str,
    pub(super) settings: Vec<&'static Setting>,
}

pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    PARTS.into_iter().flatten()
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
