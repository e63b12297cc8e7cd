//! The removal of everything that is kept of a user.

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::{announced, confirm, id_literal, notified, push, quoted, webhook_events};
use crate::config::UNREAD;
use crate::store::schema::{
    CLEARED, CONFIRMED, CONVERSATION_CLEARED, DEAD_LETTER, MESSAGE, NOTIFIED, ONLINE, PUSH, WEBHOOK,
};
use crate::store::tables::Tables;

/// Marks or deletes what waits for a user, and deletes our rows that may be many. Each statement changes at
/// most `limit` rows, if there is a limit.
pub(in crate::store) fn rows(
    tables: &Tables,
    partition: Partition,
    user: &UserId,
    limit: Option<u32>,
) -> Vec<String> {
    // The order is that of an index, and the same on a replica that repeats statements.
    let first =
        |column: &str| limit.map_or_else(String::new, |limit| format!(" ORDER BY {column} LIMIT {limit}"));
    let receiver = id_literal(user);
    // An entry is a JSON list of names and values. It begins with version, kind and receiver.
    let entry_of = "JSON_UNQUOTE(JSON_EXTRACT(`entry`, '$[2][1]'))";
    // Records go in the order of their rows: a row that would be left alone is known by its record.
    let mut statements = vec![
        format!(
            "{} WHERE {} = {receiver} AND {}{}{}",
            confirm::remove(tables),
            tables.receiver_id,
            tables.not_kept("", &receiver.to_string()),
            tables.waits(""),
            first(&tables.id.to_string())
        ),
        format!("DELETE FROM `{MESSAGE}` WHERE `receiver_id` = {receiver}{}", first("`offline_id`")),
        format!("DELETE FROM `{CONFIRMED}` WHERE `receiver_id` = {receiver}{}", first("`message_id`")),
        format!(
            "DELETE FROM `{DEAD_LETTER}` WHERE `partition_id` = {partition} AND {entry_of} = {} COLLATE utf8mb4_bin{}",
            quoted(&user.to_string()),
            first("`id`")
        ),
    ];
    // Whatever the settings are now: they may use a table again when the id is another user's.
    for table in [UNREAD, CONVERSATION_CLEARED] {
        if tables.has(table) {
            let first = first("`conversation`");
            statements.push(format!("DELETE FROM `{table}` WHERE `user_id` = {receiver}{first}"));
        }
    }
    if tables.has(WEBHOOK) {
        statements.push(webhook_events::forget(user, limit));
    }
    statements
}

/// Deletes our counters of a user, also one that this transaction has made, and when they were cleared.
pub(in crate::store) fn counters(tables: &Tables, forgotten: &UserId) -> Vec<String> {
    let user = id_literal(forgotten);
    let mut statements = vec![format!("DELETE FROM `{CLEARED}` WHERE `user_id` = {user}")];
    if tables.has(UNREAD) {
        statements.push(format!("DELETE FROM `{UNREAD}` WHERE `user_id` = {user}"));
    }
    if tables.has(NOTIFIED) {
        statements.push(notified::forget(forgotten));
    }
    if tables.has(ONLINE) {
        statements.push(announced::forget(forgotten));
    }
    if tables.has(PUSH) {
        statements.push(push::forget(forgotten));
    }
    statements
}
