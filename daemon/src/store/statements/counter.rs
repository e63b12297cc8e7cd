//! Unread counters.

use chatpush_wire::id::UserId;

use super::{ID_BYTES, id_list, id_literal, in_statements, parts};
use crate::config::Names;
use crate::log::batch::Batch;
use crate::store::writer_connection::Locks;

/// Locks the rows of these users in the order of their ids. With [`Locks::NoWait`] it fails at once if another
/// transaction has locked one.
pub(in crate::store) fn lock(names: &Names, users: &[&UserId], locks: Locks) -> String {
    format!(
        "SELECT {id} FROM {user} WHERE {id} IN ({}){} ORDER BY {id} FOR UPDATE{}",
        id_list(users),
        names.of_counters(),
        if locks == Locks::NoWait { " NOWAIT" } else { "" },
        id = names.user_id,
        user = names.user,
    )
}

/// Changes the counters and what conversations count. A counter stops at `most_unread`. `empties`: what conversations count
/// of a total that the application has set to 0 is emptied before. A statement has at most about `most` bytes.
pub(in crate::store) fn change(
    names: &Names,
    batch: &Batch<'_>,
    (most_unread, empties): (u64, bool),
    most: usize,
) -> Vec<String> {
    if batch.counters.is_empty() {
        return Vec::new();
    }
    let users: Vec<_> = batch.counters.keys().copied().collect();
    let mut statements = Vec::new();
    if names.unread_by_conversation && empties {
        statements.extend(parts::empty(names, batch, most));
    }
    if names.own_counter {
        statements.push(insert(names, &users));
    }
    statements.extend(update(names, batch, most_unread, most));
    if names.unread_by_conversation {
        statements.extend(parts::change(batch, most));
    }
    statements
}

/// Updates the counters. A counter stops at `most_unread`, the largest value of its column: a message must not be
/// refused because a user has never looked.
fn update(names: &Names, batch: &Batch<'_>, most_unread: u64, most: usize) -> Vec<String> {
    let Names { user, user_id, unread_count, .. } = names;
    let count = format!("COALESCE({unread_count}, 0)");
    let value = |base: &str, added: u32| format!("LEAST({base} + {added}, {most_unread})");
    let one_more = value(&count, 1);
    let cases: Vec<_> = batch
        .counters
        .iter()
        .map(|(id, counter)| {
            let base = match batch.parts.get(id).filter(|parts| !parts.cleared.is_empty()) {
                _ if counter.cleared => "0".to_owned(),
                Some(parts) => parts::without(&count, id, &parts.cleared, most_unread),
                // Most counters grow by one, and a long CASE costs more than the rows.
                None if counter.added == 1 => return (*id, String::new()),
                None => count.clone(),
            };
            (*id, format!(" WHEN {} THEN {}", id_literal(id), value(&base, counter.added)))
        })
        .collect();
    let mut statements = Vec::new();
    for cases in in_statements(&cases, most, |(_, case)| case.len() + ID_BYTES + 2) {
        let (users, cases): (Vec<_>, Vec<_>) = cases.iter().map(|(id, case)| (*id, case.as_str())).unzip();
        let cases = cases.concat();
        let new = if cases.is_empty() {
            one_more.clone()
        } else {
            format!("CASE {user_id}{cases} ELSE {one_more} END")
        };
        statements.push(format!(
            "UPDATE {user} SET {unread_count} = {new} WHERE {user_id} IN ({}){} ORDER BY {user_id}",
            id_list(&users),
            names.of_counters()
        ));
    }
    statements
}

/// Selects the counters of these users. If their rows are locked, it does not read from the transaction's snapshot: in
/// that a counter has its old value where the application has set what this transaction would have set.
pub(in crate::store) fn select(names: &Names, users: &[&UserId], locked: bool) -> String {
    format!(
        "SELECT {id}, COALESCE({unread}, 0) FROM {user} WHERE {id} IN ({}){}{}",
        id_list(users),
        names.of_counters(),
        if locked { " FOR UPDATE" } else { "" },
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chatpush_wire::id::UserIdType;

    use super::*;
    use crate::config::{Events, Identifier};
    use crate::log::batch::{Counter, Parts};
    use crate::log::position::Position;

    fn names() -> Names {
        let name = |name: &str| Identifier::new(name).unwrap();
        Names {
            offline_message: name("offline_message"),
            user: name("user"),
            id: name("id"),
            sender_id: name("sender_id"),
            receiver_id: name("receiver_id"),
            content: name("content"),
            send_time: None,
            user_id: name("id"),
            unread_count: name("unread_count"),
            unread_by_conversation: true,
            notify: None,
            events: Events::default(),
            web_push: false,
            own_counter: false,
            user_id_type: UserIdType::Int,
        }
    }

    /// As many users as a batch has, each with a clear of the longest names.
    #[test]
    fn no_statement_is_too_long() {
        let users: Vec<_> = (1..=10_000).map(|id| UserId::try_from(id).unwrap()).collect();
        let conversation = "c".repeat(64);
        let parts = Parts {
            cleared: [conversation.clone()].into(),
            added: [(conversation, 1)].into(),
            clears: BTreeMap::new(),
        };
        let counter = Counter { added: 1, since: Position::new(1_732_323_232_123, 0), ..Counter::default() };
        let batch = Batch {
            counters: users.iter().map(|user| (user, counter)).collect(),
            parts: users.iter().map(|user| (user, parts.clone())).collect(),
            ..Batch::default()
        };
        let most = 256 * 1024;
        let statements = change(&names(), &batch, (u64::from(u32::MAX), true), most);
        let longest = statements.iter().map(String::len).max().unwrap();
        assert!(longest <= most + 1024, "{longest}");
        let named = |id: usize| {
            statements
                .iter()
                .filter(|text| text.starts_with("UPDATE") && text.contains(&format!("WHEN {id} THEN")))
                .count()
        };
        assert_eq!([named(1), named(5_000), named(10_000)], [1, 1, 1]);
    }
}
