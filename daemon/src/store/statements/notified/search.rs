//! The search for new rows of the message table: `chatpush_notify_scan`.

use std::ops::RangeInclusive;

use chatpush_wire::id::{UserId, UserIdType};

use super::NOW;
use crate::config::{Names, When};
use crate::store::rows;
use crate::store::schema::{NOTIFIED, NOTIFY_SCAN};
use crate::store::statements::id_list;
use crate::store::tables::Tables;

/// Key and receiver of rows with keys in this range, by key, whether somebody may have to be told of them, their time in
/// seconds since 1970, and whether [`note`](super::note) would leave the receiver as they are. A history's column may be
/// NULL. What is delivered may be unread.
pub(in crate::store) fn scan(tables: &Tables, keys: &RangeInclusive<u64>, limit: u32) -> String {
    let (id, receiver) = (&tables.id, format!("o.{}", tables.receiver_id));
    let waits_at_all = tables.not_kept("o.", &receiver);
    let waits = if tables.notify == Some(When::Unread) { String::new() } else { tables.waits("o.") };
    let first = if tables.has_own_kept { *keys.start() } else { *keys.start().max(&(tables.kept + 1)) };
    let user = match tables.user_id_type {
        // The index does for a text of its own character set alone.
        UserIdType::Text => format!("CONVERT({receiver} USING ascii) COLLATE ascii_bin"),
        UserIdType::Int | UserIdType::BigInt => receiver.clone(),
    };
    format!(
        "SELECT o.{id}, {receiver}, COALESCE(({waits_at_all}{waits}), 0), {seconds}, COALESCE({is_settled}, 0) \
         FROM {table} o LEFT JOIN `{NOTIFIED}` n ON n.`user_id` = {user} \
         WHERE o.{id} BETWEEN {first} AND {last} ORDER BY o.{id} LIMIT {limit}",
        seconds = rows::seconds(tables),
        last = keys.end(),
        table = tables.offline_message,
        is_settled = is_settled(),
    )
}

/// Those of these users whom [`note`](super::note) would leave as they are, and when somebody was told of them.
pub(in crate::store) fn settled(users: &[&UserId]) -> String {
    format!(
        "SELECT n.`user_id`, n.`told_at` FROM `{NOTIFIED}` n WHERE n.`user_id` IN ({}) AND {}",
        id_list(users),
        is_settled()
    )
}

/// Whether `n` is looked at later, or is due, or somebody was told.
fn is_settled() -> String {
    format!(
        "((n.`check_at` > ({NOW}) OR n.`told_at` IS NOT NULL OR n.`offer_at` IS NOT NULL) \
         AND n.`since_ms` IS NOT NULL)"
    )
}

/// The definition of the message table.
pub(in crate::store) fn show_table(tables: &Tables) -> String {
    format!("SHOW CREATE TABLE {}", tables.offline_message)
}

/// Up to which key receivers were looked for, for good, and for the first time: see [`record_scanned`].
pub(in crate::store) fn scanned() -> String {
    format!("SELECT `row_id` FROM `{NOTIFY_SCAN}` ORDER BY `id`")
}

/// Begins behind the rows that are there, unless it has begun.
pub(in crate::store) fn begin_scan(names: &Names) -> String {
    format!(
        "INSERT IGNORE INTO `{NOTIFY_SCAN}` (`id`, `row_id`) SELECT 1, COALESCE(MAX({}), 0) FROM {}",
        names.id, names.offline_message
    )
}

/// Records up to which key receivers were looked for, and need not be looked for again, in the first row; and up to
/// which key they were looked for at all in the second one.
pub(in crate::store) fn record_scanned(for_good: u64, reached: u64) -> String {
    format!(
        "INSERT INTO `{NOTIFY_SCAN}` (`id`, `row_id`) VALUES (1, {for_good}), (2, {reached}) \
         ON DUPLICATE KEY UPDATE `row_id` = VALUES(`row_id`)"
    )
}
