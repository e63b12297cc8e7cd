//! Users of whom the application was told that they are online: `chatpush_online`.

use chatpush_wire::id::UserId;

use super::{id_list, id_literal};
use crate::config::Event;
use crate::store::schema::{ONLINE, WEBHOOK};

/// A user and the time of their last connection that was read, by which a change finds its row.
pub(in crate::store) type Seen<'a> = (&'a UserId, u64);

/// Records that these users have connected. Rows that are new get the number `mark`.
pub(in crate::store) fn connected(users: &[&UserId], now: u64, mark: u64) -> String {
    let rows: Vec<_> =
        users.iter().map(|user| format!("({}, {now}, {now}, {mark})", id_literal(user))).collect();
    format!(
        "INSERT INTO `{ONLINE}` (`user_id`, `since_ms`, `connected_ms`, `mark`) VALUES {} \
         ON DUPLICATE KEY UPDATE `connected_ms` = GREATEST(VALUES(`connected_ms`), `connected_ms` + 1)",
        rows.join(", ")
    )
}

/// Queues an event for those of these users whose rows are new.
pub(in crate::store) fn queue_online(users: &[&UserId], mark: u64) -> String {
    format!(
        "INSERT INTO `{WEBHOOK}` (`event`, `user_id`, `time_ms`) SELECT '{}', `user_id`, `since_ms` FROM `{ONLINE}` \
         WHERE `user_id` IN ({}) AND `mark` = {mark} ORDER BY `user_id`",
        Event::Online.name(),
        id_list(users)
    )
}

/// Queues an event for those of these users who have not connected since.
pub(in crate::store) fn queue_offline(users: &[Seen<'_>], now: u64) -> String {
    format!(
        "INSERT INTO `{WEBHOOK}` (`event`, `user_id`, `time_ms`) SELECT '{}', `user_id`, {now} FROM `{ONLINE}` \
         WHERE {} ORDER BY `user_id`",
        Event::Offline.name(),
        seen(users)
    )
}

/// Removes those of these users who have not connected since.
pub(in crate::store) fn delete(users: &[Seen<'_>]) -> String {
    format!("DELETE FROM `{ONLINE}` WHERE {}", seen(users))
}

/// The next users and when they have connected last, behind one of them.
pub(in crate::store) fn select(after: Option<&UserId>, limit: u32) -> String {
    let behind = after.map_or_else(String::new, |user| format!(" WHERE `user_id` > {}", id_literal(user)));
    format!("SELECT `user_id`, `connected_ms` FROM `{ONLINE}`{behind} ORDER BY `user_id` LIMIT {limit}")
}

/// Those of these users of whom the application was told.
pub(in crate::store) fn select_of(users: &[&UserId]) -> String {
    format!("SELECT `user_id` FROM `{ONLINE}` WHERE `user_id` IN ({})", id_list(users))
}

/// Nothing is kept of a user.
pub(in crate::store) fn forget(user: &UserId) -> String {
    format!("DELETE FROM `{ONLINE}` WHERE `user_id` = {}", id_literal(user))
}

fn seen(users: &[Seen<'_>]) -> String {
    let rows = users
        .iter()
        .map(|(user, at)| format!("(`user_id` = {} AND `connected_ms` = {at})", id_literal(user)));
    rows.collect::<Vec<_>>().join(" OR ")
}
