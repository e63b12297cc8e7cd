//! Dead letters: entries that MySQL refused.

use super::quoted;
use crate::log::batch::LogEntry;
use crate::store::schema::DEAD_LETTER;

/// Inserts a dead letter.
pub(in crate::store) fn insert(logged: &LogEntry, entry: &str, error: &str) -> String {
    format!(
        "INSERT INTO `{}` (`partition_id`, `log_id`, `entry`, `error`, `died_at`) \
         VALUES ({}, '{}', {}, {}, NOW())",
        DEAD_LETTER,
        logged.partition,
        logged.position,
        quoted(entry),
        quoted(error)
    )
}

/// The messages among the last dead letters: receiver, id and error, newest first. An entry is a JSON list of
/// names and values, and a message's begins with version, kind, receiver and id.
pub(in crate::store) fn refused_messages(most: usize) -> String {
    let value = |path: &str| format!("JSON_UNQUOTE(JSON_EXTRACT(`entry`, '{path}'))");
    format!(
        "SELECT {}, {}, `error` FROM `{}` WHERE {} = 'm' AND {} = 'i' ORDER BY `id` DESC LIMIT {most}",
        value("$[2][1]"),
        value("$[3][1]"),
        DEAD_LETTER,
        value("$[1][1]"),
        value("$[3][0]")
    )
}
