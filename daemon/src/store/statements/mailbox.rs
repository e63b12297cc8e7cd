//! How many messages wait for a user, and which wait for too long.

use std::collections::BTreeMap;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::{ID_BYTES, confirm, id_list, id_literal, in_statements, list, part_keys, parts, quoted, recall};
use crate::config::UNREAD;
use crate::store::schema::{ADOPTION, CONFIRMED, MESSAGE};
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
            tables.not_kept("", &user),
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
    let receiver = format!("o.{}", tables.receiver_id);
    format!(
        "SELECT o.{id}, CAST({receiver} AS CHAR), COALESCE(({not_kept}{waits}), 0), \
         COALESCE(m.`time_ms` DIV 1000, {inserted}) < {before} \
         FROM {table} o LEFT JOIN `{MESSAGE}` m ON m.`offline_id` = o.{id} AND m.`receiver_id` = {receiver} \
         WHERE o.{id} > {after} ORDER BY o.{id} LIMIT {limit}",
        id = tables.id,
        not_kept = tables.not_kept("o.", &receiver),
        table = tables.offline_message,
        waits = tables.waits("o."),
    )
}

/// Selects the highest row id, or 0.
pub(in crate::store) fn highest(tables: &Tables) -> String {
    format!("SELECT COALESCE(MAX({}), 0) FROM {}", tables.id, tables.offline_message)
}

/// Selects up to which row id nothing waited.
pub(in crate::store) fn nothing_waits_to(tables: &Tables) -> String {
    let table = quoted(tables.offline_message.bare());
    format!("SELECT `nothing_waits_to` FROM `{ADOPTION}` WHERE `table_name` = {table}")
}

/// Records it.
pub(in crate::store) fn record_nothing_waits_to(tables: &Tables, row: u64) -> String {
    let table = quoted(tables.offline_message.bare());
    format!("UPDATE `{ADOPTION}` SET `nothing_waits_to` = {row} WHERE `table_name` = {table}")
}

/// What is counted of a user's messages.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Counted {
    /// In the counter.
    pub(in crate::store) total: u64,
    /// By conversation.
    pub(in crate::store) parts: BTreeMap<String, u64>,
}

/// Selects user, conversation, how many of these rows the user's counter holds, and how many of those the
/// conversation counts: those that were not cleared since. What the application has inserted itself was not counted.
pub(in crate::store) fn counted(tables: &Tables, rows: &[(u64, UserId)]) -> String {
    // Since when conversations count is recorded by partition.
    let mut groups: BTreeMap<Option<Partition>, Vec<u64>> = BTreeMap::new();
    for (id, user) in rows {
        let partition = tables.unread_by_conversation.then(|| Partition::of(user));
        groups.entry(partition).or_default().push(*id);
    }
    let found = groups.into_iter().map(|(partition, rows)| {
        let by_conversation = partition.map_or_else(|| " AND 1 = 0".to_owned(), part_keys::counted);
        format!(
            "SELECT CAST(m.`receiver_id` AS CHAR) AS `chatpush_user`, {} AS `chatpush_part`, \
             (1 = 1{by_conversation}) AS `chatpush_counted` FROM {} WHERE m.`offline_id` IN ({}){}",
            recall::counts_for(tables),
            recall::records_and_rows(tables),
            list(&rows),
            recall::counts(tables)
        )
    });
    format!(
        "SELECT `chatpush_user`, `chatpush_part`, COUNT(*), SUM(`chatpush_counted`) FROM ({}) r \
         GROUP BY `chatpush_user`, `chatpush_part`",
        found.collect::<Vec<_>>().join(" UNION ALL ")
    )
}

/// Takes messages out of what conversations count, and out of the counters of users. Users are in the order of their
/// ids, which avoids deadlocks. `most_unread` is the largest value of the counter's column. A statement has at most
/// about `most` bytes.
pub(in crate::store) fn uncount(
    tables: &Tables,
    counted: &BTreeMap<UserId, Counted>,
    most_unread: u64,
    most: usize,
) -> Vec<String> {
    let mut statements = Vec::new();
    for (user, Counted { parts, .. }) in counted {
        statements.extend(parts.iter().map(|(part, count)| {
            format!(
                "UPDATE `{UNREAD}` SET `unread` = `unread` - LEAST(`unread`, {count}) \
                 WHERE `user_id` = {} AND `conversation` = {}",
                id_literal(user),
                quoted(part)
            )
        }));
    }
    let id = &tables.user_id;
    let total = format!("COALESCE({}, 0)", tables.unread_count);
    let cases: Vec<_> = counted
        .iter()
        .map(|(user, Counted { total: taken, .. })| {
            let least = if tables.unread_by_conversation {
                parts::least(&total, user, most_unread)
            } else {
                "0".to_owned()
            };
            let literal = id_literal(user);
            (user, format!(" WHEN {literal} THEN GREATEST(CAST({total} AS SIGNED) - {taken}, {least})"))
        })
        .collect();
    for cases in in_statements(&cases, most, |(_, case)| case.len() + ID_BYTES + 2) {
        let (users, cases): (Vec<_>, Vec<_>) =
            cases.iter().map(|(user, case)| (*user, case.as_str())).unzip();
        statements.push(format!(
            "UPDATE {} SET {} = CASE {id}{} END WHERE {id} IN ({}){} ORDER BY {id}",
            tables.user,
            tables.unread_count,
            cases.concat(),
            id_list(&users),
            tables.of_counters(),
        ));
    }
    statements
}

/// Remembers the messages in these rows, so that a repeated call does not store them again. `now_ms` is the time
/// in milliseconds since 1970.
pub(in crate::store) fn remember(rows: &[u64], now_ms: u64) -> String {
    format!(
        "INSERT INTO `{CONFIRMED}` (`receiver_id`, `message_id`, `confirmed_ms`) \
         SELECT `receiver_id`, `message_id`, {now_ms} FROM `{MESSAGE}` WHERE `offline_id` IN ({}) \
         ON DUPLICATE KEY UPDATE `had_row` = 1",
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
