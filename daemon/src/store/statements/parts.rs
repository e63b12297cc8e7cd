//! What conversations count, beside the total of a user.
//!
//! A total that the application has set to 0 empties the parts: reads show none, and the next change begins
//! with none.

use std::collections::BTreeSet;

use chatpush_wire::id::UserId;

use super::{ID_BYTES, id_list, id_literal, in_statements, quoted};
use crate::base::fault_injection::{self, Promise};
use crate::config::{Names, UNREAD};
use crate::log::batch::Batch;

/// The condition that a row is a part, and no total.
const IS_PART: &str = "`conversation` <> ''";

/// Most bytes of a row of these tables as SQL literals.
const ROW_BYTES: usize = ID_BYTES + 90;

/// Deletes the parts of those of these users whose total is 0.
pub(super) fn delete_emptied(names: &Names, users: &[&UserId]) -> String {
    let on = if names.own_counter { " AND u.`conversation` = ''" } else { "" };
    format!(
        "DELETE p FROM `{UNREAD}` p LEFT JOIN {user} u ON u.{id} = p.`user_id`{on} \
         WHERE p.`user_id` IN ({}) AND p.{IS_PART} AND COALESCE(u.{count}, 0) <= 0",
        id_list(users),
        user = names.user,
        id = names.user_id,
        count = names.unread_count,
    )
}

/// A total without what these conversations count, and not below 0. The sum is in a subquery of its own,
/// because the table that is updated may be the same one (MySQL manual, "UPDATE Statement").
pub(super) fn without(total: &str, user: &UserId, conversations: &BTreeSet<String>) -> String {
    format!(
        "GREATEST(CAST({total} AS SIGNED) - COALESCE((SELECT s.`total` FROM \
         (SELECT CAST(SUM(`unread`) AS SIGNED) AS `total` FROM `{UNREAD}` WHERE `user_id` = {} AND `conversation` IN ({})) s), 0), 0)",
        id_literal(user),
        conversations.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
    )
}

/// Deletes what is cleared, and adds what is added.
pub(super) fn change(batch: &Batch<'_>, most: usize) -> Vec<String> {
    let mut statements = Vec::new();
    let clears = !fault_injection::breaks(Promise::By);
    let cleared_all = batch.counters.iter().filter(|(_, counter)| counter.cleared);
    let cleared_all: Vec<_> = cleared_all.map(|(user, _)| *user).collect();
    if clears && !cleared_all.is_empty() {
        statements.push(format!(
            "DELETE FROM `{UNREAD}` WHERE `user_id` IN ({}) AND {IS_PART}",
            id_list(&cleared_all)
        ));
    }
    let mut cleared = Vec::new();
    let mut added = Vec::new();
    for (user, parts) in &batch.parts {
        let user = id_literal(user).to_string();
        let cleared_parts = parts.cleared.iter().filter(|_| clears);
        cleared.extend(cleared_parts.map(|name| (user.clone(), format!("({user}, {})", quoted(name)))));
        added.extend(parts.added.iter().map(|(name, count)| format!("({user}, {}, {count})", quoted(name))));
    }
    for rows in in_statements(&cleared, most, |_| ROW_BYTES + ID_BYTES) {
        let (users, rows): (Vec<_>, Vec<_>) = rows.iter().cloned().unzip();
        // As in the statements that confirm rows: a list of pairs alone may not be looked up by the key.
        statements.push(format!(
            "DELETE FROM `{UNREAD}` WHERE `user_id` IN ({}) AND (`user_id`, `conversation`) IN ({})",
            users.join(", "),
            rows.join(", ")
        ));
    }
    for rows in in_statements(&added, most, |_| ROW_BYTES) {
        statements.push(format!(
            "INSERT INTO `{UNREAD}` (`user_id`, `conversation`, `unread`) VALUES {} \
             ON DUPLICATE KEY UPDATE `unread` = LEAST(`unread` + VALUES(`unread`), {})",
            rows.join(", "),
            u32::MAX
        ));
    }
    statements
}

/// Selects user, conversation and count of what these users have not read.
pub(in crate::store) fn select(users: &[&UserId]) -> String {
    format!(
        "SELECT `user_id`, `conversation`, `unread` FROM `{UNREAD}` \
         WHERE `user_id` IN ({}) AND {IS_PART} AND `unread` > 0",
        id_list(users)
    )
}

/// Selects conversation and count of what a user has not read, at most `limit` of them.
pub(in crate::store) fn select_of(names: &Names, user: &UserId, limit: usize) -> String {
    format!(
        "SELECT p.`conversation`, p.`unread` FROM `{UNREAD}` p WHERE p.`user_id` = {literal} AND p.{IS_PART} \
         AND p.`unread` > 0 \
         AND (SELECT COALESCE(MAX(u.{count}), 0) FROM {user} u WHERE u.{id} = {literal}{own}) > 0 \
         ORDER BY p.`conversation` LIMIT {limit}",
        literal = id_literal(user),
        count = names.unread_count,
        user = names.user,
        id = names.user_id,
        own = names.of_counters(),
    )
}
