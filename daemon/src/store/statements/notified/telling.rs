//! Users who are due: offers and leases.

use chatpush_wire::id::UserId;

use super::{At, Exit, at, newer, of_each, own_kept};
use crate::store::schema::NOTIFIED;
use crate::store::statements::{error_literal, id_list};
use crate::store::tables::Tables;

/// Users who are due and not leased, those first who are due longest.
pub(in crate::store) fn select_offered(now: u64, limit: u32, exit: Option<Exit>) -> String {
    let (of_exit, index) = (of_exit(exit), index_of_exit(exit));
    format!(
        "SELECT `user_id`, `offer_at`, `since_ms`, `connected_at`, `due_at`, `tries`, `tried_at` FROM `{NOTIFIED}` \
         FORCE INDEX (`{index}`) WHERE {of_exit}`offer_at` <= {now} ORDER BY `offer_at` LIMIT {limit}"
    )
}

/// How many messages wait for each of these users, counted up to `most`. Only if there are fewer, all are counted.
pub(in crate::store) fn count_waiting(tables: &Tables, users: &[&UserId], most: u32) -> String {
    let waits = tables.waits("o.");
    let count = |which: &str| {
        format!(
            "IF((SELECT 1 {which}{waits} LIMIT 1 OFFSET {last}) IS NULL, (SELECT COUNT(*) {which}{waits}), {most})",
            last = most - 1
        )
    };
    let newer = count(&newer(tables, ""));
    let all = match own_kept(tables) {
        Some(own) => format!("LEAST({newer} + {}, {most})", count(&own)),
        None => newer,
    };
    of_each(&all, users)
}

/// The key of the newest message that waits for each of these users, and how many bytes its content has; NULL if none
/// does.
pub(in crate::store) fn select_last(tables: &Tables, users: &[&UserId]) -> String {
    let waits = tables.waits("o.");
    let last = |what: &str| {
        let newest =
            |which: &str, by: &str| format!("(SELECT {what} {which}{waits} ORDER BY {by} DESC LIMIT 1)");
        let newer = newest(&newer(tables, ""), &format!("o.{}", tables.id));
        match own_kept(tables) {
            Some(own) => format!("COALESCE({newer}, {})", newest(&own, "m.`offline_id`")),
            None => newer,
        }
    };
    let (key, bytes) = (format!("o.{}", tables.id), format!("OCTET_LENGTH(o.{})", tables.content));
    of_each(&format!("{}, {}", last(&key), last(&bytes)), users)
}

/// Nobody else is offered these users until the lease ends. Whose lease it is shows [`leased`].
pub(in crate::store) fn lease(users: &[At<'_>], until: u64, lease: u64) -> String {
    format!("UPDATE `{NOTIFIED}` SET `offer_at` = {until}, `lease` = {lease} WHERE {}", at("offer_at", users))
}

/// A number for a lease that nobody else has. That of the writer is odd.
pub(in crate::store) fn lease_number(is_writers: bool) -> u64 {
    fastrand::u64(..) & !1 | u64::from(is_writers)
}

/// Offers at once whoever of this exit is leased by the writer until a time between these. Others wait for their next
/// try for longer, and there may be many.
pub(in crate::store) fn end_writers_leases(now: u64, until: u64, exit: Option<Exit>) -> String {
    let of_exit = of_exit(exit);
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = {now}, `lease` = NULL \
         WHERE {of_exit}`offer_at` > {now} AND `offer_at` <= {until} AND `lease` % 2 = 1"
    )
}

/// The condition of one exit, for more conditions to follow; none means all.
pub(super) fn of_exit(exit: Option<Exit>) -> String {
    exit.map_or_else(String::new, |exit| format!("`exit` = {} AND ", exit as u8))
}

/// By which users who are due of one exit are found in their order.
pub(super) const fn index_of_exit(exit: Option<Exit>) -> &'static str {
    if exit.is_some() { "exit_offer_at" } else { "offer_at" }
}

/// Those of these users who are leased by `lease`.
pub(in crate::store) fn leased(users: &[&UserId], lease: u64) -> String {
    format!(
        "SELECT `user_id` FROM `{NOTIFIED}` WHERE `user_id` IN ({}) AND `lease` = {lease}",
        id_list(users)
    )
}

/// Takes an offer back: the users are looked at again.
pub(in crate::store) fn take_back(users: &[At<'_>], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = NULL, `lease` = NULL, `check_at` = {now} WHERE {}",
        at("offer_at", users)
    )
}

/// Offers these users at another time.
pub(in crate::store) fn offer_later(users: &[At<'_>], offer_at: u64) -> String {
    format!("UPDATE `{NOTIFIED}` SET `offer_at` = {offer_at} WHERE {}", at("offer_at", users))
}

/// Somebody was told of those of these users who are due or leased.
pub(in crate::store) fn told(users: &[&UserId], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `told_at` = {now}, `offer_at` = NULL, `lease` = NULL, `check_at` = NULL \
         WHERE `user_id` IN ({}) AND `offer_at` IS NOT NULL",
        id_list(users)
    )
}

/// Somebody was told of these users, unless they have come back since they were leased.
pub(in crate::store) fn told_in_lease(users: &[At<'_>], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `told_at` = {now}, `offer_at` = NULL, `lease` = NULL, `check_at` = NULL WHERE {}",
        at("offer_at", users)
    )
}

/// Nobody could be told, for a reason: these users are offered again at a time.
pub(in crate::store) fn postpone(users: &[At<'_>], now: u64, offer_at: u64, error: Option<&str>) -> String {
    let error = error.map_or_else(|| "NULL".to_owned(), error_literal);
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = {offer_at}, `lease` = NULL, `tries` = `tries` + 1, \
         `tried_at` = COALESCE(`tried_at`, {now}), `error` = {error} WHERE {}",
        at("offer_at", users)
    )
}

/// These users could not be tried: they are offered again at a time.
pub(in crate::store) fn release(users: &[At<'_>], offer_at: u64) -> String {
    format!("UPDATE `{NOTIFIED}` SET `offer_at` = {offer_at}, `lease` = NULL WHERE {}", at("offer_at", users))
}

/// Web Push cannot tell these users: they are offered to the application, which nobody has tried to tell yet.
pub(in crate::store) fn leave_to_application(users: &[At<'_>], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = {now}, `due_at` = {now}, `lease` = NULL, `tries` = 0, \
         `tried_at` = NULL, `error` = NULL, `exit` = {} WHERE {}",
        Exit::Application as u8,
        at("offer_at", users)
    )
}

/// How many of these users were told at this time.
pub(in crate::store) fn count_told(users: &[&UserId], now: u64) -> String {
    format!("SELECT COUNT(*) FROM `{NOTIFIED}` WHERE `user_id` IN ({}) AND `told_at` = {now}", id_list(users))
}
