//! Rows of messages and their records.

use chatpush_wire::id::{MessageId, UserId};

use super::{ID_BYTES, id_literal, quoted, quoted_bytes};
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;
use crate::log::batch::Insert;
use crate::store::identity;
use crate::store::schema::{CONFIRMED, MESSAGE};
use crate::store::tables::{Tables, TimeColumn};

/// The columns of a record.
const RECORD: &str =
    "`offline_id`, `receiver_id`, `message_id`, `type`, `conversation`, `time_ms`, `log_seq`, `digest`";

/// How a record is inserted. Its unique key catches a message that is stored twice, so the fault test, which shows
/// that it notices a missing fence, has to do without.
fn verb() -> &'static str {
    if fault_injection::breaks(Promise::Fence) { "REPLACE" } else { "INSERT" }
}

/// About how long the longer of the two statements gets by one message.
pub(in crate::store) fn bytes(tables: &Tables, insert: &Insert<'_>) -> usize {
    quoted_bytes(insert.content) + tables.constants.len() + 2 * ID_BYTES + 320
}

/// Selects which of these messages are stored, or were confirmed a short time ago, whether they were recalled, and
/// whether a row was there.
pub(in crate::store) fn stored(names: &Names, messages: &[(&UserId, &MessageId)]) -> String {
    let wanted =
        messages.iter().map(|(receiver, id)| format!("({}, {})", id_literal(receiver), quoted(id.as_str())));
    let wanted = wanted.collect::<Vec<_>>().join(", ");
    format!(
        "SELECT m.`receiver_id`, m.`message_id`, 0, 1 FROM `{}` m JOIN {} o ON {} \
         WHERE (m.`receiver_id`, m.`message_id`) IN ({wanted}) UNION \
         SELECT `receiver_id`, `message_id`, `recalled`, `had_row` FROM `{}` \
         WHERE (`receiver_id`, `message_id`) IN ({wanted})",
        MESSAGE,
        names.offline_message,
        identity::record_of_row(names),
        CONFIRMED,
    )
}

/// Inserts the application's rows. A date and time is in the session's time zone, which was set before.
pub(in crate::store) fn rows(tables: &Tables, inserts: &[Insert<'_>]) -> String {
    let rows: Vec<_> = inserts
        .iter()
        .map(|insert| {
            let seconds = insert.position.time_ms() / 1000;
            let time = match tables.time {
                TimeColumn::DateTime => format!(", FROM_UNIXTIME({seconds})"),
                TimeColumn::Seconds => format!(", {seconds}"),
                TimeColumn::Missing => String::new(),
            };
            format!(
                "({}, {}, {}{time}{})",
                id_literal(insert.sender),
                id_literal(insert.receiver),
                quoted(insert.content),
                tables.constants
            )
        })
        .collect();
    let time = tables.send_time.as_ref().map(|time| format!(", {time}")).unwrap_or_default();
    format!(
        "INSERT INTO {} ({}, {}, {}{time}{}) VALUES {}",
        tables.offline_message,
        tables.sender_id,
        tables.receiver_id,
        tables.content,
        tables.constant_columns,
        rows.join(", ")
    )
}

/// Inserts the records of the rows that the statement before has inserted. An INSERT of a known number of
/// rows gets consecutive ids, `auto_increment_increment` apart (MySQL manual, "`AUTO_INCREMENT` Handling in
/// `InnoDB`", simple inserts), and `LAST_INSERT_ID` is the first. Galera changes the increment when a node
/// joins, also in open sessions; so rows are looked up, and counted by the caller.
pub(in crate::store) fn records(names: &Names, inserts: &[Insert<'_>]) -> String {
    let Names { offline_message, id, sender_id, receiver_id, .. } = names;
    let (first, last) = ("LAST_INSERT_ID()", inserts.len() - 1);
    let guessed = fault_injection::breaks(Promise::Ids);
    let increment = if guessed { "1" } else { "@@auto_increment_increment" };
    let (place, range) = if last == 0 {
        ("1".to_owned(), format!("o.{id} = {first}"))
    } else {
        // A difference of unsigned numbers must not be below 0 (MySQL manual, "Out-of-Range and Overflow").
        let offset = format!("(CAST(o.{id} AS SIGNED) - CAST({first} AS SIGNED))");
        (
            format!("{offset} DIV {increment} + 1"),
            format!(
                "o.{id} BETWEEN {first} AND {first} + {last} * {increment} AND {offset} MOD {increment} = 0"
            ),
        )
    };
    let pick = |values: Vec<String>| format!("ELT({place}, {})", values.join(", "));
    let each = |value: &dyn Fn(&Insert<'_>) -> String| pick(inserts.iter().map(value).collect());
    let message_id = each(&|insert| quoted(insert.id.as_str()));
    let message_type = each(&message_type);
    // Most messages have none, and a long list of NULL costs more than the rows.
    let conversation = if inserts.iter().all(|insert| insert.conversation.is_none()) {
        "NULL".to_owned()
    } else {
        each(&conversation)
    };
    let time_ms = each(&|insert| insert.position.time_ms().to_string());
    let log_seq = if inserts.iter().all(|insert| insert.position.seq() == 0) {
        "0".to_owned()
    } else {
        each(&|insert| insert.position.seq().to_string())
    };
    let receiver = each(&|insert| id_literal(insert.receiver).to_string());
    let sender = each(&|insert| id_literal(insert.sender).to_string());
    let own = if guessed {
        String::new()
    } else {
        format!(" AND o.{receiver_id} = {receiver} AND o.{sender_id} = {sender}")
    };
    format!(
        "{verb} INTO `{MESSAGE}` ({RECORD}) SELECT o.{id}, {receiver}, {message_id}, {message_type}, {conversation}, {time_ms}, {log_seq}, {digest} \
         FROM {offline_message} o WHERE {range}{own}",
        verb = verb(),
        digest = identity::digest(names, "o."),
    )
}

/// SQL for the type of a message.
fn message_type(insert: &Insert<'_>) -> String {
    insert.message_type.map_or("NULL".to_owned(), |message_type| quoted(&message_type.encode()))
}

/// SQL for the conversation of a message.
fn conversation(insert: &Insert<'_>) -> String {
    insert.conversation.map_or("NULL".to_owned(), |conversation| quoted(conversation.as_str()))
}

/// Makes `LAST_INSERT_ID()` 0, until an INSERT generates an id.
pub(in crate::store) const FORGET_LAST_ID: &str = "DO LAST_INSERT_ID(0)";

/// Inserts the record of the one row that the statement before has inserted, whatever a trigger has made of it.
pub(in crate::store) fn record(names: &Names, insert: &Insert<'_>) -> String {
    format!(
        "{verb} INTO `{MESSAGE}` ({RECORD}) SELECT o.{id}, {receiver}, {message_id}, {message_type}, {conversation}, {time_ms}, {log_seq}, {digest} \
         FROM {table} o WHERE o.{id} = LAST_INSERT_ID()",
        id = names.id,
        receiver = id_literal(insert.receiver),
        message_id = quoted(insert.id.as_str()),
        message_type = message_type(insert),
        conversation = conversation(insert),
        time_ms = insert.position.time_ms(),
        log_seq = insert.position.seq(),
        verb = verb(),
        digest = identity::digest(names, "o."),
        table = names.offline_message,
    )
}

/// Deletes records in the way of a new one: with the id of the row that was inserted last, because ids are used
/// again after a TRUNCATE of the application's table; and of the same message, whose row the application has
/// deleted.
pub(in crate::store) fn delete_stale_records(insert: &Insert<'_>) -> String {
    format!(
        "DELETE FROM `{}` WHERE `offline_id` = LAST_INSERT_ID() OR (`receiver_id`, `message_id`) = ({}, {})",
        MESSAGE,
        id_literal(insert.receiver),
        quoted(insert.id.as_str())
    )
}
