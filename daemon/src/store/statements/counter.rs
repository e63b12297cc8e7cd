//! Unread counters.

use std::fmt::Write as _;

use chatpush_wire::id::UserId;

use super::{id_list, id_literal};
use crate::config::Names;
use crate::log::batch::{Batch, Counter};

/// Locks the rows of these users, or fails at once if another transaction has locked one.
pub(in crate::store) fn lock(names: &Names, users: &[&UserId]) -> String {
    format!(
        "SELECT {id} FROM {user} WHERE {id} IN ({}){} ORDER BY {id} FOR UPDATE NOWAIT",
        id_list(users),
        names.of_counters(),
        id = names.user_id,
        user = names.user,
    )
}

/// Updates the counters. A counter stops at `most`, the largest value of its column: a message must not be
/// refused because a user has never looked.
pub(in crate::store) fn update(names: &Names, batch: &Batch<'_>, most: u64) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let value = |counter: &Counter| {
        let base = if counter.cleared { "0".to_owned() } else { format!("COALESCE({unread_count}, 0)") };
        format!("LEAST({base} + {}, {most})", counter.added)
    };
    // Most counters grow by one, and a long CASE costs more than the rows.
    let one_more = Counter { cleared: false, added: 1 };
    let mut new = value(&one_more);
    if batch.counters.values().any(|counter| *counter != one_more) {
        let mut cases = String::new();
        for (id, counter) in batch.counters.iter().filter(|(_, counter)| **counter != one_more) {
            // Writing to a String cannot fail.
            let _ = write!(cases, " WHEN {} THEN {}", id_literal(id), value(counter));
        }
        new = format!("CASE {user_id}{cases} ELSE {new} END");
    }
    let users: Vec<_> = batch.counters.keys().copied().collect();
    format!(
        "UPDATE {user} SET {unread_count} = {new} WHERE {user_id} IN ({}){} ORDER BY {user_id}",
        id_list(&users),
        names.of_counters()
    )
}

/// Selects the counters of these users.
pub(in crate::store) fn select(names: &Names, users: &[&UserId]) -> String {
    format!(
        "SELECT {id}, COALESCE({unread}, 0) FROM {user} WHERE {id} IN ({}){}",
        id_list(users),
        names.of_counters(),
        id = names.user_id,
        unread = names.unread_count,
        user = names.user,
    )
}

/// Inserts counters of 0 for those of these users who have none in our own table.
pub(in crate::store) fn insert(names: &Names, users: &[&UserId]) -> String {
    let rows: Vec<_> = users.iter().map(|user| format!("({})", id_literal(user))).collect();
    format!("INSERT IGNORE INTO {} ({}) VALUES {}", names.user, names.user_id, rows.join(", "))
}
