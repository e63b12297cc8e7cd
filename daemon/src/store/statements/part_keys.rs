//! Rows of conversations in the order of their key, step by step.

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::parts::IS_PART;
use super::{id_literal, quoted};
use crate::config::{Names, UNREAD};
use crate::store::schema::{CONVERSATION_CLEARED, MESSAGE, POSITION};

/// The key of a row: a user and a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartKey {
    /// The user.
    pub(crate) user: UserId,
    /// The conversation; none in the row of a total.
    pub(crate) conversation: String,
}

/// Rows of one step: behind a key, if there is one, up to another.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Step<'a> {
    /// The last key of the step before.
    pub(in crate::store) after: Option<&'a PartKey>,
    /// The last key.
    pub(in crate::store) last: &'a PartKey,
}

impl Step<'_> {
    /// The condition that a row belongs to it. `alias` is the table's alias with its dot, or empty.
    fn has(self, alias: &str) -> String {
        let PartKey { user, conversation } = self.last;
        let (user, conversation) = (id_literal(user), quoted(conversation));
        let upto = format!(
            "({alias}`user_id` < {user} OR ({alias}`user_id` = {user} AND {alias}`conversation` <= {conversation}))"
        );
        upto + &behind(self.after, alias)
    }
}

/// The condition, behind another one, that a row comes behind a key.
fn behind(after: Option<&PartKey>, alias: &str) -> String {
    let Some(PartKey { user, conversation }) = after else { return String::new() };
    let (user, conversation) = (id_literal(user), quoted(conversation));
    format!(
        " AND ({alias}`user_id` > {user} OR ({alias}`user_id` = {user} AND {alias}`conversation` > {conversation}))"
    )
}

/// Selects the next `limit` keys of a table.
pub(in crate::store) fn select(table: &str, after: Option<&PartKey>, limit: u32) -> String {
    format!(
        "SELECT `user_id`, `conversation` FROM `{table}` WHERE 1 = 1{} ORDER BY `user_id`, `conversation` \
         LIMIT {limit}",
        behind(after, "")
    )
}

/// Deletes all rows of conversations in a step.
pub(in crate::store) fn delete(table: &str, step: Step<'_>) -> String {
    format!("DELETE FROM `{table}` WHERE {} AND {IS_PART}", step.has(""))
}

/// Deletes the clears of users for whom nothing waits any more: nothing can be taken back.
pub(in crate::store) fn delete_clears(step: Step<'_>) -> String {
    format!(
        "DELETE FROM `{CONVERSATION_CLEARED}` WHERE {} AND NOT EXISTS (SELECT 1 FROM `{MESSAGE}` m \
         WHERE m.`receiver_id` = `{CONVERSATION_CLEARED}`.`user_id`)",
        step.has("")
    )
}

/// Deletes what counts nothing: conversations of 0, and those of users without a total above 0.
pub(in crate::store) fn delete_counted_out(names: &Names, step: Step<'_>) -> Vec<String> {
    let own = if names.own_counter { " AND u.`conversation` = ''" } else { "" };
    let mut statements = vec![format!(
        "DELETE p FROM `{UNREAD}` p LEFT JOIN {user} u ON u.{id} = p.`user_id`{own} \
         WHERE {} AND p.{IS_PART} AND (p.`unread` = 0 OR COALESCE(u.{count}, 0) <= 0)",
        step.has("p."),
        user = names.user,
        id = names.user_id,
        count = names.unread_count,
    )];
    if names.own_counter {
        statements.push(format!(
            "DELETE FROM `{UNREAD}` WHERE {} AND `conversation` = '' AND `unread` = 0",
            step.has("")
        ));
    }
    statements
}

/// Selects in how many partitions conversations are counted.
pub(in crate::store) fn select_counting() -> String {
    format!("SELECT COUNT(`parts_since_ms`) FROM `{POSITION}`")
}

/// Records that conversations count the messages behind the positions, or nothing.
pub(in crate::store) fn record_counting(counts: bool) -> String {
    let since = |number: i8| {
        if counts {
            format!("CAST(SUBSTRING_INDEX(`log_id`, '-', {number}) AS UNSIGNED)")
        } else {
            "NULL".to_owned()
        }
    };
    format!("UPDATE `{POSITION}` SET `parts_since_ms` = {}, `parts_since_seq` = {}", since(1), since(-1))
}

/// The condition, behind another one, that conversations count the record `m` of a message in this partition.
pub(super) fn counted(partition: Partition) -> String {
    format!(
        " AND NOT EXISTS (SELECT 1 FROM `{POSITION}` s WHERE s.`partition_id` = {partition} \
         AND (s.`parts_since_ms`, s.`parts_since_seq`) >= (m.`time_ms`, m.`log_seq`))"
    )
}
