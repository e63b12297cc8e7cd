//! Dead letters: entries that MySQL refused.

use super::quoted;
use crate::store::apply::NewDeadLetter;
use crate::store::schema::DEAD_LETTER;

/// Inserts a dead letter.
pub(in crate::store) fn insert(letter: &NewDeadLetter<'_>) -> String {
    let NewDeadLetter { partition, position, fields, error } = letter;
    // Texts: this cannot fail.
    let entry = serde_json::to_string(fields).unwrap_or_default();
    format!(
        "INSERT INTO `{}` (`partition_id`, `log_id`, `entry`, `error`, `died_at`) \
         VALUES ({partition}, '{position}', {}, {}, NOW())",
        DEAD_LETTER,
        quoted(&entry),
        quoted(error)
    )
}

/// The messages among the last dead letters: receivers, id and error, newest first. An entry is a JSON list of
/// names and values, and a message's begins with version, kind, receivers and id.
pub(in crate::store) fn refused_messages(most: usize) -> String {
    let value = |path: &str| format!("JSON_UNQUOTE(JSON_EXTRACT(`entry`, '{path}'))");
    format!(
        "SELECT {}, {}, `error` FROM `{}` WHERE {} IN ('m', 'g') AND {} = 'i' ORDER BY `id` DESC LIMIT {most}",
        value("$[2][1]"),
        value("$[3][1]"),
        DEAD_LETTER,
        value("$[1][1]"),
        value("$[3][0]")
    )
}
