//! Unread counters.

use std::fmt::Write as _;

use chatpush_wire::id::UserId;

use super::{id_list, id_literal, parts};
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

/// Changes the counters and what conversations count. A counter stops at `most_unread`. Lists of conversations
/// have at most about `most` bytes in a statement.
pub(in crate::store) fn change(
    names: &Names,
    batch: &Batch<'_>,
    most_unread: u64,
    most: usize,
) -> Vec<String> {
    if batch.counters.is_empty() {
        return Vec::new();
    }
    let users: Vec<_> = batch.counters.keys().copied().collect();
    let mut statements = Vec::new();
    if names.unread_by_conversation {
        statements.push(parts::delete_emptied(names, &users));
    }
    if names.own_counter {
        statements.push(insert(names, &users));
    }
    statements.push(update(names, batch, most_unread));
    if names.unread_by_conversation {
        statements.extend(parts::change(batch, most));
    }
    statements
}

/// Updates the counters. A counter stops at `most`, the largest value of its column: a message must not be
/// refused because a user has never looked.
fn update(names: &Names, batch: &Batch<'_>, most: u64) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let count = format!("COALESCE({unread_count}, 0)");
    let value = |base: &str, added: u32| format!("LEAST({base} + {added}, {most})");
    // Most counters grow by one, and a long CASE costs more than the rows.
    let one_more = Counter { cleared: false, added: 1 };
    let mut new = value(&count, one_more.added);
    let mut cases = String::new();
    for (id, counter) in &batch.counters {
        let base = match batch.parts.get(id).filter(|parts| !parts.cleared.is_empty()) {
            _ if counter.cleared => "0".to_owned(),
            Some(parts) => parts::without(&count, id, &parts.cleared),
            None if *counter == one_more => continue,
            None => count.clone(),
        };
        // Writing to a String cannot fail.
        let _ = write!(cases, " WHEN {} THEN {}", id_literal(id), value(&base, counter.added));
    }
    if !cases.is_empty() {
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
fn insert(names: &Names, users: &[&UserId]) -> String {
    let rows: Vec<_> = users.iter().map(|user| format!("({})", id_literal(user))).collect();
    format!("INSERT IGNORE INTO {} ({}) VALUES {}", names.user, names.user_id, rows.join(", "))
}
