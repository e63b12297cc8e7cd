//! Renders the table of settings for its readers.

use std::iter;

use super::setting::{Default, Kind, Setting};
use super::table;

const EXAMPLE_HEAD: &str = "\
# Configuration of chatpushd. Copy it to chatpush.toml, or name the file with --config.
# Every line shows the default. A setting that is commented out has none.
# After a change, `systemctl reload chatpushd` (SIGHUP) applies what it can, and logs what needs a restart.
# Environment variables override the file: CHATPUSH_LIMITS_CONNECTIONS overrides connections in [limits].
";
const EXAMPLE_WIDTH: usize = 100;

/// `--help` fits a terminal of 80 columns.
const HELP_WIDTH: usize = 80;
/// A longer default is broken into lines.
const HELP_DEFAULT: usize = 50;
/// As clap indents the descriptions of options.
const HELP_INDENT: &str = "          ";

/// A configuration file with every setting at its default.
pub fn example() -> String {
    let sections = table::sections();
    let parts = sections.iter().flat_map(|section| {
        let head = (!section.name.is_empty()).then(|| format!("[{}]\n", section.name));
        head.into_iter().chain(section.settings.iter().map(|setting| example_setting(setting)))
    });
    iter::once(EXAMPLE_HEAD.to_owned()).chain(parts).collect::<Vec<_>>().join("\n")
}

fn example_setting(setting: &Setting) -> String {
    let comment = wrap(&setting.description(), EXAMPLE_WIDTH, "# ");
    let (_, name) = setting.table_and_name();
    let line = match (&setting.default, &setting.kind) {
        (Default::Required { example } | Default::Unset { example }, _) => {
            format!("#{name} = {}", toml_text(example))
        }
        (Default::Value(value), Kind::Boolean | Kind::Integer { .. }) => format!("{name} = {value}"),
        (Default::Value(value), Kind::Text | Kind::Choice(_)) => format!("{name} = {}", toml_text(value)),
    };
    format!("{comment}{line}\n")
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The environment variables, for `--help`.
pub fn environment_help() -> String {
    let sections = table::sections();
    let settings = sections.iter().flat_map(|section| &section.settings);
    settings.map(|setting| help_entry(setting)).collect()
}

fn help_entry(setting: &Setting) -> String {
    let default = match setting.default {
        Default::Required { .. } => " [required]".to_owned(),
        Default::Value("") | Default::Unset { .. } => String::new(),
        Default::Value(value) if value.len() > HELP_DEFAULT => format!(" [default: {value}]"),
        // No-break spaces keep the default on one line.
        Default::Value(value) => format!(" [default:\u{a0}{}]", value.replace(' ', "\u{a0}")),
    };
    let summary = setting.summary().replace('`', "");
    let description = wrap(&format!("{summary}{default}"), HELP_WIDTH, HELP_INDENT);
    format!("  {}\n{}", setting.env(), description.replace('\u{a0}', " "))
}

/// Breaks a text into lines between words. Each begins with `prefix`.
fn wrap(text: &str, width: usize, prefix: &str) -> String {
    let (mut lines, mut line) = (String::new(), prefix.to_owned());
    for word in text.split(' ') {
        let is_empty = line.len() == prefix.len();
        if !is_empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(&line);
            lines.push('\n');
            prefix.clone_into(&mut line);
        } else if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line + "\n"
}
