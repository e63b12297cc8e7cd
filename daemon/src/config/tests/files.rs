//! The files that are made from the table of settings.

use std::path::PathBuf;

use super::{MINIMUM, load};
use crate::config::setting::{Default, Reload, Setting};
use crate::config::table::{self, Section};
use crate::config::{Config, example};

/// Set: the files are written instead of compared.
const WRITE: &str = "CHATPUSH_WRITE_SETTINGS";

const BEGIN: &str = "<!-- settings of the daemon: begin -->\n";
const END: &str = "<!-- settings of the daemon: end -->";

#[test]
fn example_is_rendered_from_the_table() {
    compare_or_write("chatpush.toml.example", |_| example());
}

#[test]
fn book_is_rendered_from_the_table() {
    compare_or_write("docs/configuration.md", |text| {
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        format!("{before}{BEGIN}\n{}\n{END}{after}", book())
    });
}

/// Also finds a row that no code reads, which is an unknown key of the file.
#[test]
fn example_shows_the_defaults() {
    let read = |text| Config { file: None, ..load(text, &MINIMUM).unwrap() };
    let (shown, default) = (read(&example()), read(""));
    assert_eq!(format!("{shown:?}"), format!("{default:?}"));
}

fn compare_or_write(path: &str, render: impl FnOnce(&str) -> String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = std::fs::read_to_string(&file).unwrap();
    let rendered = render(&text);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, rendered).unwrap();
    } else {
        let differs = text.lines().zip(rendered.lines()).find(|(is, should_be)| is != should_be);
        assert!(
            text == rendered,
            "{path} is not what the table renders; ./dev settings writes it: {differs:?}"
        );
    }
}

/// The tables of settings in docs/configuration.md.
fn book() -> String {
    table::sections().iter().map(book_section).collect::<Vec<_>>().join("\n")
}

fn book_section(section: &Section) -> String {
    let head = match section.name {
        "" => String::new(),
        name => format!("#### `[{name}]`\n\n"),
    };
    let rows: String = section.settings.iter().map(|setting| book_row(setting)).collect();
    format!(
        "{head}| setting | variable | default | reload | meaning |\n| --- | --- | --- | --- | --- |\n{rows}"
    )
}

fn book_row(setting: &Setting) -> String {
    let default = match setting.default {
        Default::Required { .. } => "required".to_owned(),
        Default::Value("") | Default::Unset { .. } => "none".to_owned(),
        Default::Value(value) => format!("`{value}`"),
    };
    let meaning = setting.description().replace('|', "\\|");
    let reload = if setting.reload == Reload::Restart { "restart" } else { "applied" };
    format!("| `{}` | `{}` | {default} | {reload} | {meaning} |\n", setting.key, setting.env())
}
