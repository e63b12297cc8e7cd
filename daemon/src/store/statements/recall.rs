//! Messages that their senders take back, and what is counted of them.

use chatpush_wire::id::UserId;

use super::{id_literal, quoted};
use crate::log::batch::Recall;
use crate::store::identity;
use crate::store::schema::{CLEARED, CONFIRMED, MESSAGE};
use crate::store::tables::Tables;

/// Takes a message out of the counter, unless the counter was cleared after it.
pub(in crate::store) fn uncount(tables: &Tables, recall: &Recall<'_>) -> String {
    let receiver = id_literal(recall.receiver);
    format!(
        "UPDATE {user} SET {unread} = GREATEST(CAST(COALESCE({unread}, 0) AS SIGNED) - \
         (SELECT COUNT(*) FROM {} WHERE {}{} AND m.`time_ms` > \
         COALESCE((SELECT `cleared_ms` FROM `{CLEARED}` WHERE `user_id` = {receiver}), 0)), 0) \
         WHERE {} = {receiver}{}",
        records_and_rows(tables),
        named_by(tables, recall),
        tables.waits("o."),
        tables.user_id,
        tables.of_counters(),
        user = tables.user,
        unread = tables.unread_count,
    )
}

/// Remembers a message that is taken back, so that a repeated call does not store it again. `now_ms` is the
/// time in milliseconds since 1970.
pub(in crate::store) fn remember(tables: &Tables, recall: &Recall<'_>, now_ms: u64) -> String {
    format!(
        "INSERT IGNORE INTO `{CONFIRMED}` (`receiver_id`, `message_id`, `confirmed_ms`) \
         SELECT m.`receiver_id`, m.`message_id`, {now_ms} FROM {} WHERE {}{}",
        records_and_rows(tables),
        named_by(tables, recall),
        tables.waits("o.")
    )
}

/// Marks or deletes a row that waits. It changes rows only if there is one.
pub(in crate::store) fn remove_row(tables: &Tables, recall: &Recall<'_>) -> String {
    let (from, named) = (records_and_rows(tables), named_by(tables, recall));
    match &tables.marking {
        None => format!("DELETE m, o FROM {from} WHERE {named}"),
        Some(marking) => {
            format!("UPDATE {from} SET {} WHERE {named}{}", marking.set("o."), tables.waits("o."))
        }
    }
}

/// Deletes the record of a row that was marked.
pub(in crate::store) fn delete_record(tables: &Tables, recall: &Recall<'_>) -> Option<String> {
    tables.marking.as_ref()?;
    Some(format!("DELETE m FROM {} WHERE {}", records_and_rows(tables), named_by(tables, recall)))
}

/// Records when counters were cleared.
pub(in crate::store) fn record_clears<'a>(
    clears: impl IntoIterator<Item = (&'a &'a UserId, &'a u64)>,
) -> String {
    let rows: Vec<_> =
        clears.into_iter().map(|(user, time_ms)| format!("({}, {time_ms})", id_literal(user))).collect();
    format!("REPLACE INTO `{CLEARED}` (`user_id`, `cleared_ms`) VALUES {}", rows.join(", "))
}

/// The records `m` with their rows `o`.
fn records_and_rows(tables: &Tables) -> String {
    let same = identity::record_of_row(tables);
    format!("`{MESSAGE}` m JOIN {} o ON {same}", tables.offline_message)
}

/// The condition that it is the message that is meant.
fn named_by(tables: &Tables, recall: &Recall<'_>) -> String {
    let ids = recall.ids.iter().map(|id| quoted(id.as_str())).collect::<Vec<_>>().join(", ");
    format!(
        "m.`receiver_id` = {} AND m.`message_id` IN ({ids}) AND o.{} = {}",
        id_literal(recall.receiver),
        tables.sender_id,
        id_literal(recall.sender),
    )
}
