//! A message table that is a history: confirmed rows are marked instead of deleted.

use super::names::{Identifier, Names};
use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::optional(
        "mysql.history.column",
        "delivered_at",
        "Column that says whether a message was delivered, in a table that is a history",
    )
    .details(
        "Confirmed rows are marked instead of deleted. Never name the column that means that a message was \
         read: clients confirm what they have received. An index on receiver, this column and the key is \
         needed; `chatpushd check` has the statement.",
    ),
    Setting::optional("mysql.history.value", "now", "Value of that column in rows that were delivered")
        .details("A text, a number, `now` for the time, or `true` or `false` in a column of numbers."),
    Setting::optional("mysql.history.waiting", "0", "Value of that column in rows that wait")
        .details("New rows get it. Missing: NULL."),
];

/// How rows of a history are marked.
#[derive(Clone, Debug)]
pub struct History {
    /// The column.
    pub column: Identifier,
    /// Its value in rows that were delivered; none for the time.
    pub value: Option<String>,
    /// Its value in rows that wait; none for NULL.
    pub waiting: Option<String>,
}

impl History {
    /// None if the table is a queue, or after an error.
    pub(super) fn read(source: &mut Source, names: Option<&Names>) -> Option<Self> {
        let column = source.optional("mysql.history.column", Identifier::new);
        let ours =
            |column: &Identifier| names.is_some_and(|names| names.is_column_of_messages(column.bare()));
        let text = |text: &str| Ok(text.to_owned());
        let value = source.optional("mysql.history.value", text);
        let waiting = source.optional("mysql.history.waiting", text);
        match (column, value) {
            (None, None) if waiting.is_none() => None,
            (None, _) => {
                source
                    .error("mysql.history.column", "is required with the other settings of [mysql.history]");
                None
            }
            (Some(column), _) if ours(&column) => {
                let message = format!("{column} is a column that chatpush writes itself: name another one");
                source.error("mysql.history.column", &message);
                None
            }
            (Some(_), None) => {
                source.error("mysql.history.value", "is required with mysql.history.column");
                None
            }
            (Some(_), value) if value == waiting => {
                source.error("mysql.history.value", "must be another value than mysql.history.waiting");
                None
            }
            (Some(column), value) => {
                Some(Self { column, value: value.filter(|value| value != "now"), waiting })
            }
        }
    }
}
