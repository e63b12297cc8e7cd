//! The rows of messages: each once, in order; in a history also each of them, marked once and never deleted.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Shown, Tables, order_violations};
use crate::history::{History, Key, Outcome};
use crate::schema::Row;

/// What is wrong with them.
pub(super) fn violations(history: &History, tables: &Tables, shown: &Shown<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut by_user: BTreeMap<u32, Vec<&Key>> = BTreeMap::new();
    for (key, row) in &tables.before {
        by_user.entry(row.receiver).or_default().push(key);
    }
    for (user, keys) in by_user {
        let mut twice = HashSet::new();
        for key in keys.iter().filter(|key| !twice.insert(**key)) {
            found.push(format!("stored twice for {user}: {key}"));
        }
        let stored: Vec<_> = keys.into_iter().filter(|key| history.messages.contains_key(*key)).collect();
        order_violations(&format!("rows of {user}"), &stored, history, &mut found);
    }
    if tables.is_application {
        found.extend(history_violations(history, tables, shown));
    }
    found
}

fn history_violations(history: &History, tables: &Tables, shown: &Shown<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if tables.deleted > 0 {
        found.push(format!("{} rows were deleted from the history", tables.deleted));
    }
    let rows: HashMap<&Key, &Row> = tables.after.iter().map(|(key, row)| (key, row)).collect();
    for (key, row) in &rows {
        // Users without a client have not received theirs.
        let expected = u32::from(!row.waits);
        if row.changes != expected {
            found.push(format!("the row of {key} was changed {} times, not {expected}", row.changes));
        }
        match history.messages.get(*key) {
            Some(message) if message.receiver == row.receiver => {}
            Some(_) => found.push(format!("the row of {key} is for {}", row.receiver)),
            None => found.push(format!("a row of nobody's message: {key} for {}", row.receiver)),
        }
    }
    for (key, message) in &history.messages {
        let is_stored = message.outcome == Outcome::Accepted
            || shown.contains_key(key) && message.outcome != Outcome::Refused && !message.may_be_lost;
        if message.is_stored() && is_stored && !tables.dead.contains(key) && !rows.contains_key(key) {
            found
                .push(format!("missing in the history: {key} for {}, {:?}", message.receiver, message.calls));
        }
    }
    found
}
