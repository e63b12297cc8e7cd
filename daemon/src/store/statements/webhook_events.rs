//! Events that the application is told of: the queue `chatpush_webhook`.
//!
//! A row is offered from `offer_at` on, by MySQL's clock; 0 is at once. While a request is under way it is leased, and
//! `offer_at` is the end of the lease.

use chatpush_wire::id::UserId;

use super::{error_literal, id_list, id_literal, in_statements, list, quoted};
use crate::config::{Event, Names};
use crate::log::batch::Batch;
use crate::store::identity;
use crate::store::schema::{MESSAGE, WEBHOOK};
use crate::store::tables::Tables;

/// The events of which those of a user are told in their order.
const PRESENCE: &str = "('user.online','user.offline')";

/// The columns of a row, as [`crate::store::webhook_events`] reads them.
const COLUMNS: &str = "`id`, `event`, `user_id`, `sender_id`, `message_id`, `time_ms`, `offer_at`, `tries`, `tried_at`, \
     `lease` IS NOT NULL, `error`";

/// A row and its lease.
pub(in crate::store) type Leased = (u64, u64);

/// Queues an event for each message that clients have confirmed, before the rows go.
pub(in crate::store) fn delivered(tables: &Tables, batch: &Batch<'_>, now: u64, most: usize) -> Vec<String> {
    let (mut recorded, mut own) = (Vec::new(), Vec::new());
    for (receiver, message) in &batch.client_acks {
        let receiver = id_literal(receiver);
        match message.as_row() {
            Some((row, digest)) => own.push((
                row,
                format!("({row}, {receiver}, x'{digest:016x}')"),
                format!(" WHEN {row} THEN {}", quoted(message.as_str())),
            )),
            None => recorded.push(format!("({receiver}, {})", quoted(message.as_str()))),
        }
    }
    let names: &Names = tables;
    let waits = tables.waits("o.");
    // Whatever the column holds, as long as an id may be.
    let sender = format!("LEFT(CAST(o.{} AS CHAR), 64)", names.sender_id);
    let event = Event::Delivered.name();
    let begin = insert();
    let mut statements = Vec::new();
    for confirmed in in_statements(&recorded, most, |row| row.len() + 2) {
        statements.push(format!(
            "{begin} SELECT '{event}', m.`receiver_id`, {sender}, m.`message_id`, {now} \
             FROM `{MESSAGE}` m JOIN {table} o ON {same} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({}){waits}",
            confirmed.join(", "),
            table = names.offline_message,
            same = identity::record_of_row(names),
        ));
    }
    for confirmed in in_statements(&own, most, |(_, row, name)| row.len() + name.len() + 24) {
        let ids: Vec<_> = confirmed.iter().map(|(id, ..)| *id).collect();
        let rows: Vec<_> = confirmed.iter().map(|(_, row, _)| row.as_str()).collect();
        let message: String = confirmed.iter().map(|(.., name)| name.as_str()).collect();
        statements.push(format!(
            "{begin} SELECT '{event}', o.{receiver}, {sender}, CASE o.{id}{message} END, {now} FROM {table} o \
             WHERE o.{id} IN ({}) AND (o.{id}, o.{receiver}, {digest}) IN ({}){waits}",
            list(&ids),
            rows.join(", "),
            table = names.offline_message,
            id = names.id,
            receiver = names.receiver_id,
            digest = identity::digest(names, "o."),
        ));
    }
    let unstored = batch.delivered.iter().map(|delivered| {
        let (receiver, sender) = (id_literal(delivered.receiver), quoted(&delivered.sender.to_string()));
        format!("('{event}', {receiver}, {sender}, {}, {now})", quoted(delivered.id.as_str()))
    });
    let unstored: Vec<_> = unstored.collect();
    for rows in in_statements(&unstored, most, |row| row.len() + 2) {
        statements.push(format!("{begin} VALUES {}", rows.join(", ")));
    }
    statements
}

/// The beginning of a statement that queues events.
pub(in crate::store) fn insert() -> String {
    format!("INSERT INTO `{WEBHOOK}` (`event`, `user_id`, `sender_id`, `message_id`, `time_ms`)")
}

/// Events that are offered now, those first that are offered longest.
pub(in crate::store) fn select_offered(now: u64, limit: u32) -> String {
    format!(
        "SELECT {COLUMNS} FROM `{WEBHOOK}` FORCE INDEX (`offer_at`) WHERE `offer_at` <= {now} \
         ORDER BY `offer_at`, `id` LIMIT {limit}"
    )
}

/// For each of these users who is online or went offline the first event that waits: id, user, and when it is
/// offered.
pub(in crate::store) fn select_first(users: &[&UserId]) -> String {
    format!(
        "SELECT w.`id`, w.`user_id`, w.`offer_at` FROM (SELECT MIN(`id`) AS `id` FROM `{WEBHOOK}` \
         WHERE `user_id` IN ({}) AND `event` IN {PRESENCE} GROUP BY `user_id`) f JOIN `{WEBHOOK}` w ON w.`id` = f.`id`",
        id_list(users)
    )
}

/// Leases those of these events that are still offered at the time that was read, until a time.
pub(in crate::store) fn lease(events: &[(u64, u64)], until: u64, lease: u64) -> String {
    let rows = events.iter().map(|(id, offer_at)| format!("(`id` = {id} AND `offer_at` = {offer_at})"));
    format!(
        "UPDATE `{WEBHOOK}` SET `offer_at` = {until}, `lease` = {lease} WHERE {}",
        rows.collect::<Vec<_>>().join(" OR ")
    )
}

/// Those of these events that have this lease.
pub(in crate::store) fn select_leased(ids: &[u64], lease: u64) -> String {
    format!("SELECT `id` FROM `{WEBHOOK}` WHERE `id` IN ({}) AND `lease` = {lease}", list(ids))
}

/// Events that are leased.
pub(in crate::store) fn select_all_leased(limit: u32) -> String {
    format!("SELECT `id`, `lease` FROM `{WEBHOOK}` WHERE `lease` IS NOT NULL LIMIT {limit}")
}

/// Offers leased events at once.
pub(in crate::store) fn end_leases(events: &[Leased]) -> String {
    format!("UPDATE `{WEBHOOK}` SET `offer_at` = 0, `lease` = NULL WHERE {}", leased(events))
}

/// The application was told, or is not told any more.
pub(in crate::store) fn delete(told: &[Leased]) -> String {
    format!("DELETE FROM `{WEBHOOK}` WHERE {}", leased(told))
}

/// Telling has failed: offers an event again at another time.
pub(in crate::store) fn postpone(event: Leased, now: u64, (offer_at, error): (u64, &str)) -> String {
    format!(
        "UPDATE `{WEBHOOK}` SET `offer_at` = {offer_at}, `lease` = NULL, `tries` = `tries` + 1, \
         `tried_at` = COALESCE(`tried_at`, {now}), `error` = {} WHERE {}",
        error_literal(error),
        leased(&[event])
    )
}

/// The event that could not be told for longest, among the first, which were tried first.
pub(in crate::store) fn select_failing() -> String {
    format!(
        "SELECT `tried_at`, `tries`, `error` FROM \
         (SELECT `tried_at`, `tries`, `error` FROM `{WEBHOOK}` ORDER BY `id` LIMIT 1000) oldest \
         WHERE `error` IS NOT NULL ORDER BY `tried_at` LIMIT 1"
    )
}

/// An event comes behind the first one of the same user, if that has not gone meanwhile.
pub(in crate::store) fn put_behind(id: u64, first: u64, offer_at: u64) -> String {
    format!(
        "UPDATE `{WEBHOOK}` w JOIN `{WEBHOOK}` f ON f.`id` = {first} SET w.`offer_at` = {offer_at} \
         WHERE w.`id` = {id} AND w.`lease` IS NULL"
    )
}

/// The first event of these users was told: the next one is offered at once.
pub(in crate::store) fn offer_next(users: &[&UserId]) -> String {
    format!(
        "UPDATE `{WEBHOOK}` SET `offer_at` = 0 WHERE `user_id` IN ({}) AND `event` IN {PRESENCE} AND `lease` IS NULL",
        id_list(users)
    )
}

/// The first events, whether offered or not.
pub(in crate::store) fn select_all(limit: u32) -> String {
    format!("SELECT {COLUMNS} FROM `{WEBHOOK}` ORDER BY `id` LIMIT {limit}")
}

/// Offers events at once, unless a request is under way.
pub(in crate::store) fn offer_now(ids: &[u64]) -> String {
    format!("UPDATE `{WEBHOOK}` SET `offer_at` = 0 WHERE `id` IN ({}) AND `lease` IS NULL", list(ids))
}

/// Gives events up, whether offered or not.
pub(in crate::store) fn drop_events(ids: &[u64]) -> String {
    format!("DELETE FROM `{WEBHOOK}` WHERE `id` IN ({})", list(ids))
}

/// The smallest and the largest id: not more than that many events wait.
pub(in crate::store) fn select_range() -> String {
    format!("SELECT COALESCE(MIN(`id`), 0), COALESCE(MAX(`id`), 0) FROM `{WEBHOOK}`")
}

/// The id of the newest event that is too old if only `most` may wait.
pub(in crate::store) fn select_excess(most: u32) -> String {
    format!("SELECT `id` FROM `{WEBHOOK}` ORDER BY `id` DESC LIMIT {most}, 1")
}

/// Users who came or went, as these oldest events say.
pub(in crate::store) fn select_oldest_users(until: u64, limit: u32) -> String {
    format!(
        "SELECT DISTINCT `user_id` FROM (SELECT `user_id`, `event` FROM `{WEBHOOK}` WHERE `id` <= {until} \
         ORDER BY `id` LIMIT {limit}) w WHERE `event` IN {PRESENCE}"
    )
}

/// Gives the oldest events up, up to an id.
pub(in crate::store) fn delete_oldest(until: u64, limit: u32) -> String {
    format!("DELETE FROM `{WEBHOOK}` WHERE `id` <= {until} ORDER BY `id` LIMIT {limit}")
}

/// How many rows the statement before has deleted.
pub(in crate::store) const DELETED: &str = "SELECT ROW_COUNT()";

/// Nothing is kept of a user.
pub(in crate::store) fn forget(user: &UserId, limit: Option<u32>) -> String {
    let first = limit.map_or_else(String::new, |limit| format!(" ORDER BY `id` LIMIT {limit}"));
    format!("DELETE FROM `{WEBHOOK}` WHERE `user_id` = {}{first}", id_literal(user))
}

fn leased(events: &[Leased]) -> String {
    let rows = events.iter().map(|(id, lease)| format!("(`id` = {id} AND `lease` = {lease})"));
    rows.collect::<Vec<_>>().join(" OR ")
}
