//! Signs that the message table is the history of a chat, whose rows would be deleted when they are delivered.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::Mysql;
use crate::ops::check::Finding;
use crate::store::adoption::{self, Adoption};
use crate::store::installation::{BAD_FIELD, NO_SUCH_TABLE};
use crate::store::tables::Tables;
use crate::store::{StoreError, bounded};

/// Rows are counted up to this number.
const MOST_ROWS: u64 = 100_000;

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
pub(super) async fn columns(connection: &mut Conn, mysql: &Mysql) -> Result<Vec<Finding>, StoreError> {
    let names = &mysql.names;
    if mysql.history.is_some() {
        return Ok(Vec::new());
    }
    let sql = "SELECT column_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
    let found: Vec<String> = bounded(connection.exec(sql, (names.offline_message.bare(),))).await?;
    let suspicious: Vec<_> =
        found.into_iter().filter(|name| !names.is_column_of_messages(name) && is_of_history(name)).collect();
    if suspicious.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "has columns as a history has ({}), and rows are DELETED once they are delivered; if it is one, set \
         [mysql.history], or mysql.tables.offline_message to a table of its own, which `chatpushd migrate` makes",
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

/// Rows that wait and that chatpush has not stored.
pub(super) async fn rows(connection: &mut Conn, mysql: &Mysql) -> Result<Vec<Finding>, StoreError> {
    let table = mysql.names.offline_message.bare();
    let adoption = match Adoption::read(connection, table).await {
        Ok(adoption) => adoption,
        Err(error) if error.code() == Some(NO_SUCH_TABLE) => None,
        // `migrate` is another finding.
        Err(error) if error.code() == Some(BAD_FIELD) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let changed = adoption.as_ref().filter(|adoption| !adoption.is_for(mysql));
    if let Some(usage) = changed.and_then(|adoption| adoption.usage.as_ref())
        && adoption::has_rows(connection, &mysql.names).await?
    {
        return Ok(vec![Finding::wrong(format!("rows of {table}"), usage.differs(mysql))]);
    }
    let counted = async {
        let (mut tables, _) = Tables::inspect(connection, mysql).await?;
        if let Some(adoption) = &adoption {
            tables.keep(adoption);
        }
        adoption::count(connection, &tables, MOST_ROWS).await
    };
    let count = match counted.await {
        Ok(rows) => rows.waiting,
        // Whatever hinders that is another finding.
        Err(StoreError::Denied(_) | StoreError::Unfit(_) | StoreError::Unavailable(_)) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let number = match count {
        0 => return Ok(Vec::new()),
        1 => "1 row was".to_owned(),
        count if count > MOST_ROWS => format!("more than {MOST_ROWS} rows were"),
        count => format!("{count} rows were"),
    };
    let becomes = if mysql.history.is_some() { "marked" } else { "DELETED" };
    let text = format!(
        "{number} not stored by chatpush; they count as messages that wait: each is sent to its receiver at \
         the next connection, and {becomes} once a client has confirmed it"
    );
    let name = format!("rows of {table}");
    Ok(vec![if adoption.is_some() {
        Finding::warning(name, text)
    } else {
        Finding::wrong(
            name,
            format!(
                "{text}. The daemon does not start until you have said what becomes of them, once: {}",
                adoption::commands(mysql.history.is_some())
            ),
        )
    }])
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
