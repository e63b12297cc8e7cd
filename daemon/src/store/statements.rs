//! The statements of the writer's transaction, as text. They differ in their number of rows, so none is prepared.

use std::fmt::Write as _;

use chatpush_wire::id::{MessageId, UserId};
use mysql_async::prelude::ToValue as _;

use super::schema;
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;
use crate::log::batch::{AppDelete, Batch, Counter, Insert, LogEntry, PositionUpdate};

/// Neither a statement nor what is sent of a transaction at a time grows much beyond this; `max_allowed_packet` is
/// 16 MiB by default.
pub(super) const STATEMENT_BYTES: usize = 1024 * 1024;

/// Which of these messages have a record and a row.
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

/// Moves each position. One that is not where the batch begins would become NULL, which the column does not take: in
/// strict mode the statement fails (MySQL manual, "UPDATE Statement"), and with it everything that follows it. A row that is
/// missing would not be noticed; there are as many as `migrate` has made, and every term counts them as it begins.
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

/// An entry that MySQL refuses, with the reason.
pub(super) fn dead_letter(logged: &LogEntry, entry: &str, error: &str) -> String {
    format!(
        "INSERT INTO `{}` (`partition_id`, `log_id`, `entry`, `error`, `died_at`) VALUES ({}, '{}', {}, {}, NOW())",
        schema::DEAD_LETTER,
        logged.partition,
        logged.position,
        quoted(entry),
        quoted(error)
    )
}

/// Looks whether the rows of these users are free, and waits for none.
pub(super) fn lock_counters(names: &Names, users: &[&UserId]) -> String {
    format!(
        "SELECT {id} FROM {user} WHERE {id} IN ({}) ORDER BY {id} FOR UPDATE NOWAIT",
        list(users),
        id = names.user_id,
        user = names.user,
    )
}

/// The application's rows.
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

/// Our records of the rows that the statement before has inserted, whose ids are `increment` apart. One INSERT of
/// known length takes neighbouring ids (MySQL manual, "`AUTO_INCREMENT` Handling in `InnoDB`", simple inserts), and
/// `LAST_INSERT_ID` is the first of them.
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
    // REPLACE, because a TRUNCATE of the application's table leaves records whose row ids come again.
    format!(
        "REPLACE INTO `{}` (`offline_id`, `receiver_id`, `message_id`, `type`, `time_ms`) VALUES {}",
        schema::MESSAGE,
        rows.join(", ")
    )
}

/// Those that remove confirmed rows: those we have a record of, and those that the application
/// inserted itself, which are known by row id and time.
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
        // The rows are found by their key; the time is compared as it was made when the row was read.
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

/// Those that remove rows that the application acknowledged: the records, then the rows.
pub(super) fn delete_by_application(names: &Names, ack: &AppDelete<'_>) -> [String; 2] {
    // No row has the id 0, so an ack of nothing removes nothing.
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

/// Clears and adds to counters.
pub(super) fn counters(names: &Names, batch: &Batch<'_>) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let value = |counter: &Counter| {
        let base = if counter.cleared { "0".to_owned() } else { format!("COALESCE({unread_count}, 0)") };
        format!("{base} + {}", counter.added)
    };
    // Most get one more, and a long CASE costs more than the rows.
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

/// The counters of these users.
pub(super) fn unread(names: &Names, users: &[UserId]) -> String {
    format!(
        "SELECT {id}, COALESCE({unread}, 0) FROM {user} WHERE {id} IN ({})",
        list(users),
        id = names.user_id,
        unread = names.unread_count,
        user = names.user,
    )
}

/// The inside of an `IN (…)`. Only for what cannot hold a quote: numbers and ids of users.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    text.to_value().as_sql(false)
}

/// Cuts a list into runs that each make a statement of bearable size.
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
    fn a_statement_stays_small_and_no_item_is_left_out() {
        let items = [10, STATEMENT_BYTES, 20, 30, STATEMENT_BYTES * 2];
        let runs = in_statements(&items, |size| *size);
        assert_eq!(runs.concat(), items);
        assert_eq!(runs.len(), 4);
        assert!(in_statements(&[] as &[usize], |size| *size).is_empty());
    }

    #[test]
    fn quoting_leaves_no_way_out_of_the_string() {
        assert_eq!(quoted(r"a'b\c"), r"'a\'b\\c'");
        assert_eq!(quoted("\0\n\r\u{1a}"), r"'\0\n\r\Z'");
    }
}
