//! Messages that their senders take back, and what is counted of them.

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::{id_list, id_literal, part_keys, parts, quoted};
use crate::config::UNREAD;
use crate::log::batch::{Batch, PartClear, Recall};
use crate::log::position::Position;
use crate::store::identity;
use crate::store::schema::{CLEARED, CONFIRMED, CONVERSATION_CLEARED, MESSAGE};
use crate::store::tables::Tables;

/// The condition that the clear `c` is behind the record `m` in the log.
const AFTER: &str = "(c.`cleared_ms`, c.`cleared_seq`) >= (m.`time_ms`, m.`log_seq`)";

/// Takes a message out of the counter, and out of what its conversation counts, unless that was cleared after
/// it. `most_unread` is the largest value of the counter's column.
pub(in crate::store) fn uncount(tables: &Tables, recall: &Recall<'_>, most_unread: u64) -> Vec<String> {
    let total = format!("COALESCE({}, 0)", tables.unread_count);
    let receiver = id_literal(recall.receiver);
    let counted =
        format!("FROM {} WHERE {}", records_and_rows(tables), named_by(tables, recall)) + &counts(tables);
    let mut statements = Vec::new();
    let mut least = "0".to_owned();
    if tables.unread_by_conversation {
        // The messages come first and are few: their conversations are looked up by the key. The application's
        // table may have any columns, and none of that name.
        statements.push(format!(
            "UPDATE (SELECT {} AS `chatpush_part`, COUNT(*) AS `chatpush_messages` \
             {counted}{} GROUP BY `chatpush_part`) r STRAIGHT_JOIN `{UNREAD}` p \
             ON p.`user_id` = {receiver} AND p.`conversation` = r.`chatpush_part` \
             SET p.`unread` = p.`unread` - LEAST(p.`unread`, r.`chatpush_messages`)",
            counts_for(tables),
            part_keys::counted(Partition::of(recall.receiver))
        ));
        least = parts::least(&total, recall.receiver, most_unread);
    }
    statements.push(format!(
        "UPDATE {} SET {} = GREATEST(CAST({total} AS SIGNED) - (SELECT COUNT(*) {counted}), {least}) \
         WHERE {} = {receiver}{}",
        tables.user,
        tables.unread_count,
        tables.user_id,
        tables.of_counters(),
    ));
    statements
}

/// The condition, behind others, that the message of a record `m` and a row `o` still waits and was not cleared.
pub(in crate::store) fn counts(tables: &Tables) -> String {
    let receiver = "m.`receiver_id`";
    let not_cleared = if tables.unread_by_conversation {
        format!(
            " AND NOT EXISTS (SELECT 1 FROM `{CONVERSATION_CLEARED}` c WHERE c.`user_id` = {receiver} \
             AND c.`conversation` = {} AND {AFTER})",
            counts_for(tables)
        )
    } else {
        String::new()
    };
    format!(
        "{} AND NOT EXISTS (SELECT 1 FROM `{CLEARED}` c WHERE c.`user_id` = {receiver} AND {AFTER}){not_cleared}",
        tables.waits("o."),
    )
}

/// The conversation for which a message counts: its own, or its sender.
pub(in crate::store) fn counts_for(tables: &Tables) -> String {
    format!(
        "COALESCE(m.`conversation`, CAST(o.{} AS CHAR CHARACTER SET ascii)) COLLATE ascii_bin",
        tables.sender_id
    )
}

/// Remembers a message that is taken back, so that a repeated call does not store it again. `now_ms` is the
/// time in milliseconds since 1970.
pub(in crate::store) fn remember(tables: &Tables, recall: &Recall<'_>, now_ms: u64) -> String {
    format!(
        "INSERT INTO `{CONFIRMED}` (`receiver_id`, `message_id`, `confirmed_ms`, `recalled`) \
         SELECT m.`receiver_id`, m.`message_id`, {now_ms}, 1 FROM {} WHERE {}{} ON DUPLICATE KEY UPDATE `had_row` = 1",
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

/// Locks what [`remove_row`] changes. It fails at once if another transaction has locked it.
pub(in crate::store) fn lock(tables: &Tables, recall: &Recall<'_>) -> String {
    format!(
        "SELECT m.`offline_id` FROM {} WHERE {} FOR UPDATE NOWAIT",
        records_and_rows(tables),
        named_by(tables, recall)
    )
}

/// Deletes the record of a row that was marked.
pub(in crate::store) fn delete_record(tables: &Tables, recall: &Recall<'_>) -> Option<String> {
    tables.marking.as_ref()?;
    Some(format!("DELETE m FROM {} WHERE {}", records_and_rows(tables), named_by(tables, recall)))
}

/// Records where in the log counters were cleared.
pub(in crate::store) fn record_clears<'a>(
    clears: impl IntoIterator<Item = (&'a &'a UserId, &'a Position)>,
) -> String {
    let rows = clears.into_iter().map(|(user, at)| format!("({}, {})", id_literal(user), of(*at)));
    let rows: Vec<_> = rows.collect();
    format!("REPLACE INTO `{CLEARED}` (`user_id`, `cleared_ms`, `cleared_seq`) VALUES {}", rows.join(", "))
}

/// Records where in the log conversations were cleared. A clear of everything goes for all of them.
///
/// Only what has counted something is recorded, and only for a user for whom messages wait: pages may name
/// any conversation, and nothing else can be taken back.
pub(in crate::store) fn record_part_clears(batch: &Batch<'_>) -> Vec<String> {
    let mut statements = Vec::new();
    if !batch.clears.is_empty() {
        let users: Vec<_> = batch.clears.keys().copied().collect();
        statements
            .push(format!("DELETE FROM `{CONVERSATION_CLEARED}` WHERE `user_id` IN ({})", id_list(&users)));
    }
    for (user, parts) in &batch.parts {
        let clears = parts.clears.iter();
        statements.extend(clears.map(|(conversation, clear)| record_part_clear(user, conversation, *clear)));
    }
    statements
}

fn record_part_clear(user: &UserId, conversation: &str, clear: PartClear) -> String {
    let (user, conversation) = (id_literal(user), quoted(conversation));
    let has_counted = if clear.counted {
        String::new()
    } else {
        format!(
            " AND EXISTS (SELECT 1 FROM `{UNREAD}` WHERE `user_id` = {user} \
             AND `conversation` = {conversation} AND `unread` > 0)"
        )
    };
    format!(
        "REPLACE INTO `{CONVERSATION_CLEARED}` (`user_id`, `conversation`, `cleared_ms`, `cleared_seq`) \
         SELECT {user}, {conversation}, {} FROM DUAL \
         WHERE EXISTS (SELECT 1 FROM `{MESSAGE}` WHERE `receiver_id` = {user}){has_counted}",
        of(clear.position)
    )
}

/// The two columns of a position.
fn of(position: Position) -> String {
    format!("{}, {}", position.time_ms(), position.seq())
}

/// The records `m` with their rows `o`.
pub(in crate::store) fn records_and_rows(tables: &Tables) -> String {
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
