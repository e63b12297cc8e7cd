//! Whom somebody is to be told about: `chatpush_notified`.
//!
//! A row is in one of four states. `check_at`: the user is looked at then. `offer_at`: the user is due, and is
//! offered from then on; after a lease that is its end. `told_at`: somebody was told. None of the three: nothing
//! waits. Each change names the time that it has read, so that what changed in between is not overwritten.
//!
//! Where many rows are in a state, the optimizer may read and sort all of them rather than the first ones by the index.
//! So queries for the first ones name it.

pub(in crate::store) mod search;
pub(in crate::store) mod telling;
pub(in crate::store) mod undelivered;

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

use chatpush_wire::id::UserId;

use super::{id_list, id_literal};
use crate::config::Names;
use crate::log::batch::Batch;
use crate::store::identity;
use crate::store::rows;
use crate::store::schema::{MESSAGE, NOTIFIED, PUSH};
use crate::store::tables::Tables;

/// By what users who are due are told, as in the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A webhook, or a job of the application.
    Application = 0,
    /// Web Push.
    WebPush = 1,
}

/// A user and a time that was read of them, by which a change finds its row.
pub(in crate::store) type At<'a> = (&'a UserId, u64);

/// The time, in milliseconds since 1970, whatever the time zone.
pub(in crate::store) const NOW: &str =
    "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000";

/// Takes the time for the statements behind it, of one session. Daemons may have clocks that differ.
pub(in crate::store) const TAKE_NOW: &str = "SET @chatpush_now = \
     TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000";

/// The time that [`TAKE_NOW`] has taken.
const TAKEN_NOW: &str = "@chatpush_now";

/// A user of whom something is noted: when they are looked at, and whether they are connected now.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct New<'a, T> {
    pub(in crate::store) user: &'a UserId,
    pub(in crate::store) check_at: T,
    pub(in crate::store) is_connected: bool,
}

/// Looks at these users at a time, unless they are looked at later, are due, or somebody was told. Whose time has come is
/// looked at now, at a time that is changed, so that a look at the user that has begun does not count for this message.
pub(in crate::store) fn note<'a, T: Display>(
    users: impl IntoIterator<Item = New<'a, T>>,
    now: impl Display + Copy,
) -> String {
    let row = |New { user, check_at, is_connected }: New<'_, T>| {
        let user = id_literal(user);
        if is_connected {
            format!("({user}, {now}, {check_at}, {check_at})")
        } else {
            format!("({user}, {now}, {check_at}, NULL)")
        }
    };
    let rows: Vec<_> = users.into_iter().map(row).collect();
    format!(
        "INSERT INTO `{NOTIFIED}` (`user_id`, `since_ms`, `check_at`, `connected_at`) VALUES {} \
         ON DUPLICATE KEY UPDATE `since_ms` = COALESCE(`since_ms`, VALUES(`since_ms`)), \
         `check_at` = CASE WHEN `told_at` IS NOT NULL OR `offer_at` IS NOT NULL THEN `check_at` \
         WHEN `check_at` > {now} THEN `check_at` ELSE GREATEST({now}, COALESCE(`check_at`, 0) + 1) END",
        rows.join(", ")
    )
}

/// The same at the time that [`TAKE_NOW`] has taken, or so many milliseconds later, for users who may be connected or not.
fn note_from_now(users: &[&UserId], delay: u64) -> String {
    let check_at = format!("{TAKEN_NOW} + {delay}");
    note(users.iter().map(|user| New { user, check_at: &check_at, is_connected: false }), TAKEN_NOW)
}

/// Of which of these users somebody was told, when, and how much they have not read.
pub(in crate::store) fn select_told_unread(names: &Names, users: &[&UserId]) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let counter = if names.own_counter { " AND u.`conversation` = ''" } else { "" };
    format!(
        "SELECT n.`user_id`, n.`told_at`, COALESCE(u.{unread_count}, 0) FROM `{NOTIFIED}` n \
         JOIN {user} u ON u.{user_id} = n.`user_id`{counter} \
         WHERE n.`user_id` IN ({}) AND n.`told_at` IS NOT NULL",
        id_list(users)
    )
}

/// Who has read, by the changes of a batch, where users are told of unread messages. It follows the change of the
/// counters. Nobody else may see a row of the application before it is confirmed, so its receiver is looked at too.
pub(in crate::store) fn count(batch: &Batch<'_>) -> Vec<String> {
    let has_read = |user: &UserId| batch.parts.get(user).is_some_and(|parts| !parts.cleared.is_empty());
    let cleared = batch.counters.iter().filter(|(user, counter)| counter.cleared || has_read(user));
    let cleared: Vec<_> = cleared.map(|(user, _)| *user).collect();
    let own = batch.client_acks.iter().filter(|(_, message)| message.as_row().is_some());
    let own: Vec<_> = own.map(|(user, _)| *user).collect::<BTreeSet<_>>().into_iter().collect();
    let mut statements = vec![TAKE_NOW.to_owned()];
    if !cleared.is_empty() {
        statements.push(seen(&cleared, TAKEN_NOW, TAKEN_NOW));
    }
    if !own.is_empty() {
        statements.push(note_from_now(&own, 0));
    }
    if statements.len() > 1 { statements } else { Vec::new() }
}

/// These users have new unread messages, and are looked at so many milliseconds later. Those in `read` had read what
/// somebody told of at a time, and are told again.
pub(in crate::store) fn note_unread(users: &[&UserId], read: &[At<'_>], delay: u64) -> Vec<String> {
    let mut statements = vec![TAKE_NOW.to_owned()];
    if !read.is_empty() {
        statements.push(tell_again(read, TAKEN_NOW));
    }
    statements.push(note_from_now(users, delay));
    statements
}

/// Users of whom somebody was told, longest ago first, behind one of them.
pub(in crate::store) fn select_told(after: Option<At<'_>>, limit: u32) -> String {
    let behind = after.map_or_else(
        || "`told_at` IS NOT NULL".to_owned(),
        |(user, at)| format!("(`told_at` > {at} OR (`told_at` = {at} AND `user_id` > {}))", id_literal(user)),
    );
    format!(
        "SELECT `user_id`, `told_at`, `since_ms`, `connected_at`, `due_at`, `tries`, `tried_at` FROM `{NOTIFIED}` \
         FORCE INDEX (`told_at`) WHERE {behind} ORDER BY `told_at`, `user_id` LIMIT {limit}"
    )
}

/// Nothing waits any more for these users, whose `column` still holds what was read.
pub(in crate::store) fn delete(column: &str, users: &[At<'_>]) -> String {
    format!("DELETE FROM `{NOTIFIED}` WHERE {}", at(column, users))
}

/// Those of these users whose counter no transaction has locked now (MariaDB from 10.6, MySQL from 8.0: `SKIP LOCKED`).
pub(in crate::store) fn select_unlocked(names: &Names, users: &[At<'_>]) -> String {
    let user_id = &names.user_id;
    format!("SELECT {user_id} {} ORDER BY {user_id} FOR UPDATE SKIP LOCKED", of_users(names, users))
}

/// The counters of these users.
fn of_users(names: &Names, users: &[At<'_>]) -> String {
    let ids: Vec<_> = users.iter().map(|(user, _)| *user).collect();
    format!("FROM {} WHERE {} IN ({}){}", names.user, names.user_id, id_list(&ids), names.of_counters())
}

/// The same as [`delete`], for users whose counters nobody has locked, unless something is unread. Who locks one
/// meanwhile may be about to count, and is left out. The counters are locked first, as the writer does.
pub(in crate::store) fn delete_read(names: &Names, column: &str, users: &[At<'_>]) -> [String; 4] {
    let Names { user_id, unread_count, .. } = names;
    let of_users = of_users(names, users);
    [
        "START TRANSACTION".to_owned(),
        select_unlocked(names, users),
        format!(
            "DELETE FROM `{NOTIFIED}` WHERE ({}) AND `user_id` IN (SELECT `id` FROM (SELECT {user_id} AS `id` \
             {of_users} AND COALESCE({unread_count}, 0) <= 0 FOR UPDATE SKIP LOCKED) `read_all`)",
            at(column, users)
        ),
        "COMMIT".to_owned(),
    ]
}

/// The same for users of whom no counter was found.
pub(in crate::store) fn delete_uncounted(names: &Names, column: &str, users: &[At<'_>]) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let counter = if names.own_counter { " AND u.`conversation` = ''" } else { "" };
    format!(
        "DELETE FROM `{NOTIFIED}` WHERE ({}) AND NOT EXISTS \
         (SELECT 1 FROM {user} u WHERE u.{user_id} = `{NOTIFIED}`.`user_id`{counter} AND u.{unread_count} > 0)",
        at(column, users)
    )
}

/// Users who are to be looked at: when, since when something waits, and the end of their last connection.
pub(in crate::store) fn select_to_check(now: u64, limit: u32) -> String {
    format!(
        "SELECT `user_id`, `check_at`, `since_ms`, `connected_at`, `due_at`, `tries`, `tried_at` FROM `{NOTIFIED}` \
         FORCE INDEX (`check_at`) WHERE `check_at` <= {now} ORDER BY `check_at` LIMIT {limit}"
    )
}

/// When the oldest message that waits for each of these users was accepted, NULL if none does. The time of a row of the
/// application is negative: it has that of its clock, and is cut to seconds.
pub(in crate::store) fn first_times(tables: &Tables, users: &[&UserId]) -> String {
    let first = |which: &str, by: &str| {
        format!(
            "(SELECT COALESCE(CAST(m.`time_ms` AS SIGNED), -1000 * CAST({seconds} AS SIGNED)) {which}{waits} \
             ORDER BY {by} LIMIT 1)",
            seconds = rows::seconds(tables),
            waits = tables.waits("o."),
        )
    };
    let record = format!(" LEFT JOIN `{MESSAGE}` m ON {}", identity::record_of_row(tables));
    let newer = first(&newer(tables, &record), &format!("o.{}", tables.id));
    let first = match own_kept(tables) {
        Some(own) => format!("COALESCE({}, {newer})", first(&own, "m.`offline_id`")),
        None => newer,
    };
    of_each(&first, users)
}

/// What an expression is for each of these users, `n.user_id`. One statement for all is planned once, and opens each
/// table once: a SELECT for each, joined by UNION, takes ten times as long.
pub(super) fn of_each(expression: &str, users: &[&UserId]) -> String {
    format!("SELECT n.`user_id`, {expression} FROM `{NOTIFIED}` n WHERE n.`user_id` IN ({})", id_list(users))
}

/// The rows `o` of the user `n` behind those that are left alone, with what is joined.
fn newer(tables: &Tables, joined: &str) -> String {
    format!(
        "FROM {table} o{joined} WHERE o.{receiver} = n.`user_id` AND o.{id} > {kept}",
        table = tables.offline_message,
        receiver = tables.receiver_id,
        id = tables.id,
        kept = tables.kept,
    )
}

/// Among the rows that are left alone, those that chatpush has stored; none if there are no such.
fn own_kept(tables: &Tables) -> Option<String> {
    let own = || {
        format!(
            "FROM `{MESSAGE}` m JOIN {table} o ON {record} \
             WHERE m.`receiver_id` = n.`user_id` AND m.`offline_id` <= {kept}",
            table = tables.offline_message,
            record = identity::record_of_row(tables),
            kept = tables.kept,
        )
    };
    tables.has_own_kept.then(own)
}

/// What a look at users has found of their connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Connection {
    /// Nothing new.
    None,
    /// They are connected. The connection may last until the next look: `connected_at` is that.
    Open,
    /// It has ended since the last look.
    EndedBy(u64),
}

/// Looks at these users again at another time.
pub(in crate::store) fn check_later(users: &[(At<'_>, u64)], connection: Connection) -> String {
    let cases = by_user(users.iter().map(|((user, _), later)| (*user, *later)));
    let connected = match connection {
        Connection::None => String::new(),
        Connection::Open => format!(", `connected_at` = {cases}"),
        Connection::EndedBy(now) => format!(", `connected_at` = {now}"),
    };
    let found: Vec<_> = users.iter().map(|(at, _)| *at).collect();
    format!("UPDATE `{NOTIFIED}` SET `check_at` = {cases}{connected} WHERE {}", at("check_at", &found))
}

/// These users are due, who were found by the time at which they are looked at. With Web Push, those with a subscription
/// are offered to it.
pub(in crate::store) fn offer(users: &[At<'_>], now: u64, web_push: bool) -> String {
    offer_where(&at("check_at", users), now, web_push)
}

/// The same for users who have unread messages since a time. Another message changes nothing, though it moves the time
/// at which they are looked at: somebody who gets one each moment would never be due.
pub(in crate::store) fn offer_unread(users: &[At<'_>], now: u64, web_push: bool) -> String {
    let found = equals("COALESCE(`since_ms`, `check_at`)", users);
    offer_where(&format!("`check_at` IS NOT NULL AND ({found})"), now, web_push)
}

fn offer_where(found: &str, now: u64, web_push: bool) -> String {
    let exit = if web_push {
        format!("EXISTS (SELECT 1 FROM `{PUSH}` p WHERE p.`user_id` = `{NOTIFIED}`.`user_id`)")
    } else {
        "0".to_owned()
    };
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = {now}, `due_at` = {now}, `tries` = 0, `tried_at` = NULL, \
         `error` = NULL, `check_at` = NULL, `exit` = {exit} WHERE {found}"
    )
}

/// Those of these users of whom anything is noted.
pub(in crate::store) fn select_noted(users: &[&UserId]) -> String {
    format!("SELECT `user_id` FROM `{NOTIFIED}` WHERE `user_id` IN ({})", id_list(users))
}

/// Those of them whose row no transaction has locked now (MariaDB from 10.6, MySQL from 8.0: `SKIP LOCKED`).
pub(in crate::store) fn select_unlocked_noted(users: &[&UserId]) -> String {
    format!("{} FOR UPDATE SKIP LOCKED", select_noted(users))
}

/// These users have connected, or have read: whoever was told is told again of what comes later. A connection may last until
/// they are looked at.
pub(in crate::store) fn seen(
    users: &[&UserId],
    now: impl Display + Copy,
    check_at: impl Display + Copy,
) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `since_ms` = {now}, `connected_at` = {check_at}, `check_at` = {check_at}, \
         `told_at` = NULL, `offer_at` = NULL, `lease` = NULL WHERE `user_id` IN ({})",
        id_list(users)
    )
}

/// The same for users who had connected at these times, unless that is recorded, or they have become due since.
pub(in crate::store) fn seen_at(users: &[At<'_>], now: u64, check_at: u64) -> String {
    let rows = users.iter().map(|(user, connected_at)| {
        let user = id_literal(user);
        format!(
            "(`user_id` = {user} AND COALESCE(`due_at`, 0) <= {connected_at} \
             AND COALESCE(`connected_at`, 0) < {connected_at})"
        )
    });
    format!(
        "UPDATE `{NOTIFIED}` SET `since_ms` = {now}, `connected_at` = {check_at}, \
         `check_at` = {check_at}, `told_at` = NULL, `offer_at` = NULL, `lease` = NULL WHERE {}",
        rows.collect::<Vec<_>>().join(" OR ")
    )
}

/// Whoever was told of these users is told again of what waits now.
pub(in crate::store) fn tell_again(users: &[At<'_>], now: impl Display + Copy) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `since_ms` = {now}, `check_at` = {now}, `offer_at` = NULL, `lease` = NULL, \
         `told_at` = NULL WHERE {}",
        at("told_at", users)
    )
}

/// Looks now at users who are to be looked at after a time, and offers those now who are to be offered after another one.
pub(in crate::store) fn bring_back(now: u64, looked_at: u64, offered: u64) -> [String; 2] {
    [
        format!(
            "UPDATE `{NOTIFIED}` SET `check_at` = {now}, `since_ms` = LEAST(`since_ms`, {now}) \
             WHERE `check_at` > {looked_at}"
        ),
        format!("UPDATE `{NOTIFIED}` SET `offer_at` = {now}, `lease` = NULL WHERE `offer_at` > {offered}"),
    ]
}

/// Nothing is kept of a user.
pub(in crate::store) fn forget(user: &UserId) -> String {
    format!("DELETE FROM `{NOTIFIED}` WHERE `user_id` = {}", id_literal(user))
}

/// What each of these users gets, by its row.
fn by_user<'a>(users: impl IntoIterator<Item = At<'a>>) -> String {
    let mut cases = String::from("CASE `user_id`");
    for (user, value) in users {
        // Writing to a String cannot fail.
        let _ = write!(cases, " WHEN {} THEN {value}", id_literal(user));
    }
    cases + " END"
}

/// The condition for the rows of these users whose column still holds what was read.
fn at(column: &str, users: &[At<'_>]) -> String {
    equals(&format!("`{column}`"), users)
}

/// The condition for the rows of these users of whom this is what was read.
fn equals(value: &str, users: &[At<'_>]) -> String {
    let rows =
        users.iter().map(|(user, at)| format!("(`user_id` = {} AND {value} = {at})", id_literal(user)));
    rows.collect::<Vec<_>>().join(" OR ")
}
