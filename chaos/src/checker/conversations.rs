//! What conversations count: the messages since the last clear that were not taken back; together the total.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Shown, Tables};
use crate::history::{Counted, History, Key, LATE, Message, Outcome};

/// What is wrong with them.
pub(super) fn violations(history: &History, tables: &Tables, shown: &Shown<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for ((user, _), count) in &tables.parts {
        *sums.entry(*user).or_default() += count;
    }
    for (user, total) in &tables.counters {
        let sum = sums.remove(user).unwrap_or(0);
        if sum != *total {
            found.push(format!("the counter of {user} is {total}, but its conversations count {sum}"));
        }
    }
    found.extend(sums.iter().map(|(user, sum)| format!("{user} has no counter, but {sum} in conversations")));
    for (part, counted) in &history.counted {
        let (least, most) = expected(history, tables, shown, part, counted);
        let count = tables.parts.get(part).copied().unwrap_or(0);
        if !(least..=most).contains(&count) {
            let expected = if least == most { most.to_string() } else { format!("{least} to {most}") };
            let (user, conversation) = part;
            found.push(format!("{conversation} counts {count} for {user}, not {expected}: {counted:?}"));
        }
    }
    for ((user, conversation), count) in &tables.parts {
        if *count > 0 && !history.counted.contains_key(&(*user, conversation.clone())) {
            found.push(format!("{conversation} counts {count} for {user}, but nothing was sent there"));
        }
    }
    found
}

/// The least and the most that a conversation may count.
fn expected(
    history: &History,
    tables: &Tables,
    shown: &Shown<'_>,
    (user, _): &(u32, String),
    counted: &[Counted],
) -> (u64, u64) {
    let (mut least, mut most) = (0, 0);
    for (place, change) in counted.iter().enumerate() {
        let Counted::Sent(key) = change else { continue };
        let Some(message) = history.messages.get(key) else { continue };
        let (mut at_least, mut at_most) = stored(tables, shown, key, message);
        // Somebody else may have cleared everything at any time.
        at_least &= !history.cleared.contains(user);
        let (begun, ended) = executed(message);
        for (other, change) in counted.iter().enumerate() {
            let Counted::Cleared { from, to, done, .. } = change else { continue };
            match done {
                Some(false) => {}
                // The calls of a worker come one after the other.
                Some(true) if other > place && ended <= *from => (at_least, at_most) = (false, false),
                Some(true) if other < place && *to <= begun => {}
                None if *to + LATE <= begun => {}
                _ => at_least = false,
            }
        }
        least += u64::from(at_least);
        most += u64::from(at_most);
    }
    (least, most)
}

/// Whether a message certainly counts, and whether it may, clears aside.
fn stored(tables: &Tables, shown: &Shown<'_>, key: &Key, message: &Message) -> (bool, bool) {
    if message.is_recalled() || tables.dead.contains(key) {
        return (false, false);
    }
    let is_shown = shown.contains_key(key);
    let certainly = message.outcome == Outcome::Accepted || is_shown && !message.may_be_lost;
    let may = message.outcome != Outcome::Refused || is_shown;
    (certainly && !message.may_be_recalled(), may)
}

/// From when to when it may have been stored.
fn executed(message: &Message) -> (Duration, Duration) {
    let first = message.calls.first().map_or(Duration::ZERO, |(at, _)| *at);
    let accepted = message.calls.iter().find(|(_, word)| matches!(word.as_str(), "ok" | "queued"));
    let last = match accepted {
        Some((at, _)) => *at,
        None => message.calls.last().map_or(first, |(at, _)| *at + LATE),
    };
    (first, last)
}
