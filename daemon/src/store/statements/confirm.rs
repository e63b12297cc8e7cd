//! Messages that were confirmed or deleted.

use chatpush_wire::id::{MessageId, UserId};

use super::{id_literal, in_statements, list, quoted};
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;
use crate::log::batch::{AppDelete, Batch};
use crate::store::tables::Tables;
use crate::store::{identity, schema};

/// Marks or deletes the rows that clients have confirmed, and marks those that were taken back. Messages are found by their record. Rows that the
/// application inserted itself have none; their message id holds the row id and the digest.
pub(in crate::store) fn confirm_acked(tables: &Tables, batch: &Batch<'_>, most: usize) -> Vec<String> {
    let names: &Names = tables;
    let Names { offline_message, id, receiver_id, .. } = names;
    let (mut recorded, mut own) = (Vec::new(), Vec::new());
    for (receiver, message) in batch.client_acks.iter().chain(&batch.withdrawn) {
        let receiver = id_literal(receiver);
        match message.as_row() {
            Some((row, digest)) => own.push((row, format!("({row}, {receiver}, x'{digest:016x}')"))),
            None => recorded.push(format!("({receiver}, {})", quoted(message.as_str()))),
        }
    }
    let waits = tables.waits("");
    let mut statements = Vec::new();
    for confirmed in in_statements(&own, most, |(_, row)| row.len() + 24) {
        // The primary key finds the rows.
        let (ids, rows): (Vec<u64>, Vec<&str>) =
            confirmed.iter().map(|(id, row)| (*id, row.as_str())).unzip();
        statements.push(format!(
            "{} WHERE {id} IN ({}) AND ({id}, {receiver_id}, {}) IN ({}){waits}",
            remove(tables),
            list(&ids),
            identity::digest(names, ""),
            rows.join(", ")
        ));
    }
    for confirmed in in_statements(&recorded, most, |row| row.len() + 2) {
        let confirmed = confirmed.join(", ");
        let (records, same) = (schema::MESSAGE, identity::record_of_row(names));
        let wanted = format!("(m.`receiver_id`, m.`message_id`) IN ({confirmed})");
        match &tables.marking {
            None => statements.push(format!(
                "DELETE m, o FROM `{records}` m LEFT JOIN {offline_message} o ON {same} WHERE {wanted}"
            )),
            Some(marking) => {
                let mark = format!(
                    "UPDATE `{records}` m JOIN {offline_message} o ON {same} SET {} WHERE {wanted}",
                    marking.set("o.")
                );
                if !fault_injection::breaks(Promise::Mark) {
                    statements.push(mark.clone() + &tables.waits("o."));
                }
                if fault_injection::breaks(Promise::MarkOnce) {
                    statements.push(mark);
                }
                statements.push(format!("DELETE m FROM `{records}` m WHERE {wanted}"));
            }
        }
    }
    statements
}

/// Locks the rows that clients have confirmed or the application deletes. Each fails at once if another transaction has
/// locked one.
pub(in crate::store) fn lock(tables: &Tables, batch: &Batch<'_>, most: usize) -> Vec<String> {
    let Names { offline_message, id, receiver_id, .. } = &**tables;
    let (mut recorded, mut own) = (Vec::new(), Vec::new());
    for (receiver, message) in batch.client_acks.iter().chain(&batch.withdrawn) {
        match message.as_row() {
            Some((row, _)) => own.push(row),
            None => recorded.push(format!("({}, {})", id_literal(receiver), quoted(message.as_str()))),
        }
    }
    let by_id = in_statements(&own, most, |_| 21).into_iter();
    let by_id = by_id.map(|ids| format!("SELECT {id} FROM {offline_message} WHERE {id} IN ({})", list(ids)));
    let by_record = in_statements(&recorded, most, |row| row.len() + 2).into_iter().map(|wanted| {
        format!(
            "SELECT o.{id} FROM `{}` m JOIN {offline_message} o ON {} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({})",
            schema::MESSAGE,
            identity::record_of_row(tables),
            wanted.join(", ")
        )
    });
    let deletes = batch.app_deletes.iter().map(|ack| {
        format!(
            "SELECT {id} FROM {offline_message} WHERE {receiver_id} = {} AND {id} IN ({})",
            id_literal(ack.receiver),
            rows(ack)
        )
    });
    by_id.chain(by_record).chain(deletes).map(|select| select + " FOR UPDATE NOWAIT").collect()
}

/// Selects senders, receivers and ids of the messages with a record that clients have confirmed, before their
/// rows go.
pub(in crate::store) fn delivered(tables: &Tables, batch: &Batch<'_>, most: usize) -> Vec<String> {
    let recorded = batch.client_acks.iter().filter(|(_, message)| message.as_row().is_none());
    let wanted: Vec<_> =
        recorded.map(|(user, id)| format!("({}, {})", id_literal(user), quoted(id.as_str()))).collect();
    let statements = in_statements(&wanted, most, |row| row.len() + 2).into_iter().map(|wanted| {
        format!(
            "SELECT o.{}, m.`receiver_id`, m.`message_id` FROM `{}` m JOIN {} o ON {} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({}){}",
            tables.sender_id,
            schema::MESSAGE,
            tables.offline_message,
            identity::record_of_row(tables),
            wanted.join(", "),
            tables.waits("o.")
        )
    });
    statements.collect()
}

/// Remembers messages as confirmed, or as `recalled`, so that a repeated call does not store them again. `now_ms` is
/// the time in milliseconds since 1970.
///
/// A message that is not known to have `had_row`, and is not remembered yet, is remembered as one without a row.
pub(in crate::store) fn remember(
    messages: &[(&UserId, &MessageId)],
    (recalled, had_row): (bool, bool),
    now_ms: u64,
    most: usize,
) -> Vec<String> {
    let (recalled, had_row) = (u8::from(recalled), u8::from(had_row));
    let row = |(receiver, id): &(&UserId, &MessageId)| {
        format!("({}, {}, {now_ms}, {recalled}, {had_row})", id_literal(receiver), quoted(id.as_str()))
    };
    let rows: Vec<_> = messages.iter().map(row).collect();
    let statements = in_statements(&rows, most, |row| row.len() + 2).into_iter().map(|rows| {
        format!(
            "INSERT IGNORE INTO `{}` (`receiver_id`, `message_id`, `confirmed_ms`, `recalled`, `had_row`) VALUES {}",
            schema::CONFIRMED,
            rows.join(", ")
        )
    });
    statements.collect()
}

/// Remembers those of the messages as confirmed that have a record, before it goes: they were stored. One that was
/// remembered without a row has one now.
pub(in crate::store) fn remember_stored(
    messages: &[(&UserId, &MessageId)],
    now_ms: u64,
    most: usize,
) -> Vec<String> {
    let wanted = messages.iter().map(|(user, id)| format!("({}, {})", id_literal(user), quoted(id.as_str())));
    let wanted: Vec<_> = wanted.collect();
    let statements = in_statements(&wanted, most, |row| row.len() + 2).into_iter().map(|wanted| {
        format!(
            "INSERT INTO `{}` (`receiver_id`, `message_id`, `confirmed_ms`) \
             SELECT `receiver_id`, `message_id`, {now_ms} FROM `{}` WHERE (`receiver_id`, `message_id`) IN ({}) \
             ON DUPLICATE KEY UPDATE `confirmed_ms` = {now_ms}, `had_row` = 1",
            schema::CONFIRMED,
            schema::MESSAGE,
            wanted.join(", ")
        )
    });
    statements.collect()
}

/// Remembers the messages that the application deletes as confirmed.
pub(in crate::store) fn remember_deleted(ack: &AppDelete<'_>, now_ms: u64) -> String {
    format!(
        "INSERT INTO `{}` (`receiver_id`, `message_id`, `confirmed_ms`) \
         SELECT `receiver_id`, `message_id`, {now_ms} FROM `{}` WHERE {} ON DUPLICATE KEY UPDATE `had_row` = 1",
        schema::CONFIRMED,
        schema::MESSAGE,
        records_of(ack),
    )
}

/// Deletes the records, then marks or deletes the rows, of one delete by the application.
pub(in crate::store) fn delete_by_application(tables: &Tables, ack: &AppDelete<'_>) -> [String; 2] {
    [
        format!("DELETE FROM `{}` WHERE {}", schema::MESSAGE, records_of(ack)),
        format!(
            "{} WHERE {} = {} AND {} IN ({}){}",
            remove(tables),
            tables.receiver_id,
            id_literal(ack.receiver),
            tables.id,
            rows(ack),
            tables.waits("")
        ),
    ]
}

/// The beginning of the statement by which rows go, up to its condition.
pub(in crate::store) fn remove(tables: &Tables) -> String {
    let table = &tables.offline_message;
    match &tables.marking {
        None => format!("DELETE FROM {table}"),
        Some(marking) => format!("UPDATE {table} SET {}", marking.set("")),
    }
}

fn records_of(ack: &AppDelete<'_>) -> String {
    format!("`receiver_id` = {} AND `offline_id` IN ({})", id_literal(ack.receiver), rows(ack))
}

/// `IN ()` is a syntax error; no row has the id 0.
fn rows(ack: &AppDelete<'_>) -> String {
    if ack.rows.is_empty() { "0".to_owned() } else { list(ack.rows) }
}
