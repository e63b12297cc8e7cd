//! The SQL of the writer's transaction. Statements differ in their number of rows, so they are not prepared.

use std::fmt::Write as _;

use chatpush_wire::id::{MessageId, UserId};
use mysql_async::prelude::ToValue as _;

use super::schema;
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;
use crate::log::batch::{AppDelete, Batch, Counter, Insert, LogEntry, PositionUpdate};

/// About the size of the largest statement, and of what is sent in one write. `max_allowed_packet` is 16 MiB
/// by default.
pub(super) const STATEMENT_BYTES: usize = 1024 * 1024;

/// Selects which of these messages are stored.
pub(super) fn stored(names: &Names, messages: &[(UserId, &MessageId)]) -> String {
    let wanted: Vec<_> =
        messages.iter().map(|(receiver, id)| format!("({receiver}, {})", quoted(id.as_str()))).collect();
    format!(
        "SELECT m.`receiver_id`, m.`message_id` FROM `{}` m JOIN {} o ON {} \
         WHERE (m.`receiver_id`, m.`message_id`) IN ({})",
        schema::MESSAGE,
        names.offline_message,
        names.record_of_row(),
        wanted.join(", ")
    )
}

/// Moves each position by compare-and-set. If it is not where the batch begins, it would become NULL, and the
/// column is NOT NULL: in strict mode the statement fails (MySQL manual, "UPDATE Statement"), and the
/// statements after it are not executed. A missing row would go unnoticed, so each term checks at its start
/// that there is one for each partition.
pub(super) fn position_updates(updates: &[PositionUpdate]) -> String {
    let fenced = !fault_injection::breaks(Promise::Fence);
    let mut set = String::new();
    for PositionUpdate { partition, from, to } in updates {
        // Writing to a String cannot fail; a position is digits and a hyphen.
        let _ = if fenced {
            write!(set, " WHEN {partition} THEN IF(`log_id` = '{from}', '{to}', NULL)")
        } else {
            write!(set, " WHEN {partition} THEN '{to}'")
        };
    }
    let partitions: Vec<_> = updates.iter().map(|update| update.partition).collect();
    format!(
        "UPDATE `{}` SET `log_id` = CASE `partition_id`{set} END WHERE `partition_id` IN ({})",
        schema::POSITION,
        list(&partitions)
    )
}

/// Inserts a dead letter.
pub(super) fn dead_letter(logged: &LogEntry, entry: &str, error: &str) -> String {
    format!(
        "INSERT INTO `{}` (`partition_id`, `log_id`, `entry`, `error`, `died_at`) \
         VALUES ({}, '{}', {}, {}, NOW())",
        schema::DEAD_LETTER,
        logged.partition,
        logged.position,
        quoted(entry),
        quoted(error)
    )
}

/// Locks the rows of these users, or fails at once if another transaction has locked one.
pub(super) fn lock_counters(names: &Names, users: &[&UserId]) -> String {
    format!(
        "SELECT {id} FROM {user} WHERE {id} IN ({}) ORDER BY {id} FOR UPDATE NOWAIT",
        list(users),
        id = names.user_id,
        user = names.user,
    )
}

/// Inserts the application's rows.
pub(super) fn insert_rows(names: &Names, inserts: &[Insert<'_>]) -> String {
    let rows: Vec<_> = inserts
        .iter()
        .map(|insert| {
            let seconds = insert.time_ms / 1000;
            format!(
                "({}, {}, {}, FROM_UNIXTIME({seconds}))",
                insert.sender,
                insert.receiver,
                quoted(insert.content)
            )
        })
        .collect();
    format!(
        "INSERT INTO {} ({}, {}, {}, {}) VALUES {}",
        names.offline_message,
        names.sender_id,
        names.receiver_id,
        names.content,
        names.send_time,
        rows.join(", ")
    )
}

/// Inserts the records of the rows that the statement before has inserted. An INSERT of a known number of
/// rows gets consecutive ids, `increment` apart (MySQL manual, "`AUTO_INCREMENT` Handling in `InnoDB`",
/// simple inserts), and `LAST_INSERT_ID` is the first.
pub(super) fn insert_records(inserts: &[Insert<'_>], increment: u64) -> String {
    let rows: Vec<_> = inserts
        .iter()
        .zip((0_u64..).map(|row| row * increment))
        .map(|(insert, row)| {
            let message_type =
                insert.message_type.map_or("NULL".to_owned(), |message_type| quoted(&message_type.encode()));
            format!(
                "(LAST_INSERT_ID() + {row}, {}, {}, {message_type}, {})",
                insert.receiver,
                quoted(insert.id.as_str()),
                insert.time_ms
            )
        })
        .collect();
    // REPLACE: after a TRUNCATE of the application's table, old records have row ids that are used again.
    format!(
        "REPLACE INTO `{}` (`offline_id`, `receiver_id`, `message_id`, `type`, `time_ms`) VALUES {}",
        schema::MESSAGE,
        rows.join(", ")
    )
}

/// Deletes the rows that clients have confirmed. Messages are found by their record. Rows that the
/// application inserted itself have none; their message id holds the row id and the time.
pub(super) fn delete_acked(names: &Names, batch: &Batch<'_>) -> Vec<String> {
    let Names { offline_message, id, receiver_id, .. } = names;
    let (mut recorded, mut own) = (Vec::new(), Vec::new());
    for (receiver, message) in &batch.client_acks {
        match message.as_row() {
            Some((row, unix_time)) => own.push((row, format!("({row}, {receiver}, {unix_time})"))),
            None => recorded.push(format!("({receiver}, {})", quoted(message.as_str()))),
        }
    }
    let mut statements = Vec::new();
    for confirmed in in_statements(&own, |(_, row)| row.len()) {
        // The primary key finds the rows. The time is computed as it was when the row was read.
        let (ids, rows): (Vec<u64>, Vec<&str>) =
            confirmed.iter().map(|(id, row)| (*id, row.as_str())).unzip();
        statements.push(format!(
            "DELETE FROM {offline_message} WHERE {id} IN ({}) \
             AND ({id}, {receiver_id}, {}) IN ({})",
            list(&ids),
            names.seconds(""),
            rows.join(", ")
        ));
    }
    for confirmed in in_statements(&recorded, String::len) {
        statements.push(format!(
            "DELETE m, o FROM `{}` m LEFT JOIN {offline_message} o ON {} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({})",
            schema::MESSAGE,
            names.record_of_row(),
            confirmed.join(", ")
        ));
    }
    statements
}

/// Deletes the records, then the rows, of one delete by the application.
pub(super) fn delete_by_application(names: &Names, ack: &AppDelete<'_>) -> [String; 2] {
    // `IN ()` is a syntax error; no row has the id 0.
    let rows = if ack.rows.is_empty() { "0".to_owned() } else { list(ack.rows) };
    [
        format!(
            "DELETE FROM `{}` WHERE `receiver_id` = {} AND `offline_id` IN ({rows})",
            schema::MESSAGE,
            ack.receiver
        ),
        format!(
            "DELETE FROM {} WHERE {} = {} AND {} IN ({rows})",
            names.offline_message, names.receiver_id, ack.receiver, names.id
        ),
    ]
}

/// Updates the counters.
pub(super) fn counters(names: &Names, batch: &Batch<'_>) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let value = |counter: &Counter| {
        let base = if counter.cleared { "0".to_owned() } else { format!("COALESCE({unread_count}, 0)") };
        format!("{base} + {}", counter.added)
    };
    // Most counters grow by one, and a long CASE costs more than the rows.
    let one_more = Counter { cleared: false, added: 1 };
    let mut new = value(&one_more);
    if batch.counters.values().any(|counter| *counter != one_more) {
        let mut cases = String::new();
        for (id, counter) in batch.counters.iter().filter(|(_, counter)| **counter != one_more) {
            let _ = write!(cases, " WHEN {id} THEN {}", value(counter));
        }
        new = format!("CASE {user_id}{cases} ELSE {new} END");
    }
    let users: Vec<_> = batch.counters.keys().collect();
    format!(
        "UPDATE {user} SET {unread_count} = {new} WHERE {user_id} IN ({}) ORDER BY {user_id}",
        list(&users)
    )
}

/// Selects the counters of these users.
pub(super) fn unread(names: &Names, users: &[UserId]) -> String {
    format!(
        "SELECT {id}, COALESCE({unread}, 0) FROM {user} WHERE {id} IN ({})",
        list(users),
        id = names.user_id,
        unread = names.unread_count,
        user = names.user,
    )
}

/// The items of an `IN (…)`. Only for types whose text needs no quotes: numbers and user ids.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    text.to_value().as_sql(false)
}

/// Splits a list so that each part makes a statement of about [`STATEMENT_BYTES`] at most.
pub(super) fn in_statements<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        size += bytes(item);
        if size > STATEMENT_BYTES && at > start {
            runs.push(&items[start..at]);
            (start, size) = (at, bytes(item));
        }
    }
    if start < items.len() {
        runs.push(&items[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_by_size_and_keep_every_item() {
        let items = [10, STATEMENT_BYTES, 20, 30, STATEMENT_BYTES * 2];
        let runs = in_statements(&items, |size| *size);
        assert_eq!(runs.concat(), items);
        assert_eq!(runs.len(), 4);
        assert!(in_statements(&[] as &[usize], |size| *size).is_empty());
    }

    #[test]
    fn quoted_text_cannot_end_its_string() {
        assert_eq!(quoted(r"a'b\c"), r"'a\'b\\c'");
        assert_eq!(quoted("\0\n\r\u{1a}"), r"'\0\n\r\Z'");
    }
}
