//! Signs that the message table is the history of a chat, whose rows would be deleted when they are delivered.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::columns::is_ours;
use crate::config::Names;
use crate::ops::check::Finding;
use crate::store::identity::record_of_row;
use crate::store::{StoreError, bounded, schema};

/// Rows are counted up to this number.
const MOST_ROWS: u32 = 100_000;

/// Words of column names that a queue does not need and histories have.
const HISTORY_WORDS: [&str; 30] = [
    "archived",
    "attachment",
    "chat",
    "conversation",
    "deleted",
    "delivered",
    "edited",
    "group",
    "isread",
    "parent",
    "pinned",
    "reaction",
    "read",
    "readed",
    "reply",
    "room",
    "seen",
    "sent",
    "starred",
    "state",
    "status",
    "thread",
    "topic",
    "updated",
    "viewed",
    "visible",
    "withdrawn",
    "recalled",
    "unread",
    "edit",
];

/// Columns of the message table by which it looks like a history.
pub(super) async fn columns(connection: &mut Conn, names: &Names) -> Result<Vec<Finding>, StoreError> {
    let sql = "SELECT column_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
    let found: Vec<String> = bounded(connection.exec(sql, (names.offline_message.bare(),))).await?;
    let suspicious: Vec<_> =
        found.into_iter().filter(|name| !is_ours(names, name) && is_of_history(name)).collect();
    if suspicious.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "has columns as a history has ({}), and rows are DELETED once they are delivered; if it is one, set \
         mysql.tables.offline_message to a table of its own, which `chatpushd migrate` makes",
        suspicious.join(", ")
    );
    Ok(vec![Finding::warning(format!("columns of {}", names.offline_message.bare()), text)])
}

/// Whether a word of the name is one of a history: `is_read`, `readAt`, `room_id`.
fn is_of_history(column: &str) -> bool {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in column.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && after_lower {
            words.push(String::new());
        }
        after_lower = letter.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.iter().any(|word| HISTORY_WORDS.contains(&word.as_str()))
}

/// Rows that chatpush has not stored, and will deliver and delete.
pub(super) async fn rows(connection: &mut Conn, names: &Names) -> Result<Vec<Finding>, StoreError> {
    let table = &names.offline_message;
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM {table} o LEFT JOIN `{MESSAGE}` m ON {record_of_row} \
         WHERE m.`offline_id` IS NULL LIMIT {limit}) foreign_rows",
        MESSAGE = schema::MESSAGE,
        record_of_row = record_of_row(names),
        limit = MOST_ROWS + 1,
    );
    let count: u32 = match bounded(connection.query_first(sql)).await {
        // A missing privilege is another finding.
        Err(StoreError::Denied(_)) => return Ok(Vec::new()),
        count => count?.unwrap_or(0),
    };
    let number = match count {
        0 => return Ok(Vec::new()),
        1 => "1 row was".to_owned(),
        count if count > MOST_ROWS => format!("more than {MOST_ROWS} rows were"),
        count => format!("{count} rows were"),
    };
    let text = format!(
        "{number} not stored by chatpush; they count as messages that wait: each is sent to its receiver at \
         the next connection, and DELETED once a client has confirmed it"
    );
    Ok(vec![Finding::warning(format!("rows of {}", table.bare()), text)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_history_are_recognised() {
        for column in
            ["is_read", "readAt", "isRead", "Room_ID", "status", "deleted_at", "conversationId", "seen"]
        {
            assert!(is_of_history(column), "{column}");
        }
        for column in ["id", "folder", "extra", "payload", "ready"] {
            assert!(!is_of_history(column), "{column}");
        }
    }
}
