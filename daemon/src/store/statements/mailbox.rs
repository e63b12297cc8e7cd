//! How many messages wait for a user, and which wait for too long.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chatpush_wire::id::UserId;

use super::{confirm, id_list, id_literal, list, quoted, recall};
use crate::config::UNREAD;
use crate::store::schema::{CONFIRMED, MESSAGE};
use crate::store::tables::{Tables, TimeColumn};

/// Most bytes that [`count`] has for a user, beside the names.
pub(in crate::store) const COUNT_BYTES: usize = 256;

/// Selects user and number of waiting messages for each of these users. Counting ends at `most`.
pub(in crate::store) fn count(tables: &Tables, users: &[&UserId], most: u32) -> String {
    let counts = users.iter().map(|user| {
        let user = id_literal(user).to_string();
        format!(
            "SELECT {user} AS `user_id`, COUNT(*) AS `messages` FROM (SELECT 1 FROM {} WHERE {} = {user} AND {}{} \
             LIMIT {most}) w",
            tables.offline_message,
            tables.receiver_id,
            tables.not_kept(&user),
            tables.waits(""),
        )
    });
    counts.collect::<Vec<_>>().join(" UNION ALL ")
}

/// Selects of the next `limit` rows id and receiver, and whether the row waits; and whether it was accepted, or
/// inserted by the application, before `before`, in seconds since 1970. NULL: nobody knows when it was.
pub(in crate::store) fn select_by_age(tables: &Tables, after: u64, before: u64, limit: u32) -> String {
    let inserted = match (tables.time, &tables.send_time) {
        (TimeColumn::Seconds, Some(time)) => format!("o.{time}"),
        (TimeColumn::DateTime, Some(time)) => format!("UNIX_TIMESTAMP(o.{time})"),
        (TimeColumn::Missing, _) | (_, None) => "NULL".to_owned(),
    };
    format!(
        "SELECT o.{id}, CAST(o.{receiver} AS CHAR), (1 = 1{waits}), \
         COALESCE(m.`time_ms` DIV 1000, {inserted}) < {before} \
         FROM {table} o LEFT JOIN `{MESSAGE}` m ON m.`offline_id` = o.{id} AND m.`receiver_id` = o.{receiver} \
         WHERE o.{id} > {after} ORDER BY o.{id} LIMIT {limit}",
        id = tables.id,
        receiver = tables.receiver_id,
        table = tables.offline_message,
        waits = tables.waits("o."),
    )
}

/// Selects how many of these rows each user's counter holds, by conversation: those that were not cleared since.
/// What the application has inserted itself was not counted.
pub(in crate::store) fn counted(tables: &Tables, rows: &[u64]) -> String {
    format!(
        "SELECT CAST(m.`receiver_id` AS CHAR) AS `chatpush_user`, {} AS `chatpush_part`, COUNT(*) \
         FROM {} WHERE m.`offline_id` IN ({}){} GROUP BY `chatpush_user`, `chatpush_part`",
        recall::counts_for(tables),
        recall::records_and_rows(tables),
        list(rows),
        recall::counts(tables)
    )
}

/// Takes messages out of the counters of users, and out of what their conversations count. Users are in the order
/// of their ids, which avoids deadlocks.
pub(in crate::store) fn uncount(
    tables: &Tables,
    counted: &BTreeMap<UserId, BTreeMap<String, u64>>,
) -> Vec<String> {
    if counted.is_empty() {
        return Vec::new();
    }
    let (id, unread) = (&tables.user_id, &tables.unread_count);
    let mut cases = String::new();
    for (user, parts) in counted {
        // Writing to a String cannot fail.
        let _ = write!(cases, " WHEN {} THEN {}", id_literal(user), parts.values().sum::<u64>());
    }
    let users: Vec<_> = counted.keys().collect();
    let mut statements = vec![format!(
        "UPDATE {} SET {unread} = GREATEST(CAST(COALESCE({unread}, 0) AS SIGNED) - CASE {id}{cases} END, 0) \
         WHERE {id} IN ({}){} ORDER BY {id}",
        tables.user,
        id_list(&users),
        tables.of_counters(),
    )];
    if tables.unread_by_conversation {
        let parts = counted.iter().flat_map(|(user, parts)| parts.iter().map(move |part| (user, part)));
        statements.extend(parts.map(|(user, (part, count))| {
            format!(
                "UPDATE `{UNREAD}` SET `unread` = `unread` - LEAST(`unread`, {count}) \
                 WHERE `user_id` = {} AND `conversation` = {}",
                id_literal(user),
                quoted(part)
            )
        }));
    }
    statements
}

/// Remembers the messages in these rows, so that a repeated call does not store them again. `now_ms` is the time
/// in milliseconds since 1970.
pub(in crate::store) fn remember(rows: &[u64], now_ms: u64) -> String {
    format!(
        "INSERT IGNORE INTO `{CONFIRMED}` (`receiver_id`, `message_id`, `confirmed_ms`) \
         SELECT `receiver_id`, `message_id`, {now_ms} FROM `{MESSAGE}` WHERE `offline_id` IN ({})",
        list(rows)
    )
}

/// Marks or deletes rows that wait, and deletes their records.
pub(in crate::store) fn remove(tables: &Tables, rows: &[u64]) -> [String; 2] {
    let rows = list(rows);
    [
        format!("{} WHERE {} IN ({rows}){}", confirm::remove(tables), tables.id, tables.waits("")),
        format!("DELETE FROM `{MESSAGE}` WHERE `offline_id` IN ({rows})"),
    ]
}
