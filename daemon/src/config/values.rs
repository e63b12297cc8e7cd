//! Constants for further columns of new rows.

use super::names::{Identifier, Names};
use super::setting::Setting;
use super::source::Source;

/// The row that stands for all of them.
const ROW: &str = "mysql.values.COLUMN";

pub(super) const SETTINGS: &[Setting] = &[Setting::optional(
    ROW,
    "No",
    "Value of a further column, for every new row of the message table",
)
.details(
    "One line for each column, with its name as the key: `status = \"No\"`. For columns that need a value \
         and have no default. `true` and `false` are 1 and 0 in a column of numbers.",
)];

/// Columns and their values.
pub(super) fn read(source: &mut Source, names: Option<&Names>) -> Vec<(Identifier, String)> {
    let mut values = Vec::new();
    for (column, value) in source.chosen(ROW) {
        let key = format!("mysql.values.{column}");
        let ours = names.is_some_and(|names| names.is_column_of_messages(&column));
        match Identifier::new(&column) {
            _ if ours => source.error(&key, "is a column that chatpush writes itself"),
            Ok(column) => values.push((column, value)),
            Err(message) => source.error(&key, &message),
        }
    }
    values
}
