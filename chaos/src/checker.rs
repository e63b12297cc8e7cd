//! Checks each message: was it delivered, once, in order, and counted?

mod conversations;
mod recalls;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use crate::history::{Connection, Frame, History, Key, Message, Outcome};
use crate::schema::Row;

/// Most connections of a user that the report of a violation has.
const TOLD_CONNECTIONS: usize = 6;

/// The contents of the tables after the last fault, when all logs were applied.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Whether the table of messages is a history, and conversations are counted.
    pub(crate) is_application: bool,
    /// The rows with their keys before the final delivery, oldest first.
    pub(crate) before: Vec<(Key, Row)>,
    /// The rows of a history after it.
    pub(crate) after: Vec<(Key, Row)>,
    /// How many rows were deleted from a history.
    pub(crate) deleted: u64,
    /// Rows that still wait after the final delivery.
    pub(crate) left: u64,
    /// Keys of messages in `chatpush_dead`.
    pub(crate) dead: HashSet<Key>,
    /// The unread counter of each user.
    pub(crate) counters: BTreeMap<u32, u64>,
    /// What each conversation of a user counts.
    pub(crate) parts: BTreeMap<(u32, String), u64>,
}

/// For each message, the connections on which it was received.
type Shown<'a> = HashMap<&'a Key, Vec<usize>>;

/// Returns the violations that no later event can explain, in a history that goes on.
pub(crate) fn early_violations(history: &History) -> Vec<String> {
    let mut found = history.wrong.clone();
    let mut known = HashSet::new();
    for connection in &history.connections {
        connection_violations(connection, history, &mut known, &mut found);
    }
    for (key, frames) in &history.frames {
        if let Some(message) = history.messages.get(key) {
            identity_violations(key, message, frames, &mut |what| found.push(format!("{what}: {key}")));
        }
    }
    found
}

/// Returns all violations, each with the calls and connections of its message.
pub(crate) fn violations(history: &History, tables: &Tables) -> Vec<String> {
    let mut found = history.wrong.clone();
    let mut shown = Shown::new();
    let mut known = HashSet::new();
    for (number, connection) in history.connections.iter().enumerate() {
        for key in &connection.shown {
            shown.entry(key).or_default().push(number);
        }
        connection_violations(connection, history, &mut known, &mut found);
    }
    for (key, message) in &history.messages {
        let seen = shown.get(key).map_or(0, Vec::len);
        let report = |what: &str| format!("{what}: {}", describe(key, message, history, &shown));
        if message.is_stored()
            && message.outcome == Outcome::Accepted
            && seen == 0
            && !tables.dead.contains(key)
            && !message.may_be_recalled()
        {
            found.push(report("lost"));
        }
        refusal_violations(key, message, history, tables, seen, &mut |what| found.push(report(what)));
        let receivers: HashSet<_> = shown
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|number| history.connections.get(*number))
            .map(|connection| connection.user)
            .collect();
        if receivers.iter().any(|user| *user != message.receiver) {
            found.push(report("delivered to another user"));
        }
        if let Some(frames) = history.frames.get(key) {
            identity_violations(key, message, frames, &mut |what| found.push(report(&what)));
        }
    }
    for key in shown.keys().filter(|key| key.contains('@') && !history.messages.contains_key(**key)) {
        found.push(format!("delivered to a user who is not in the list: {key}"));
    }
    if tables.left > 0 {
        found.push(format!("{} rows were never confirmed", tables.left));
    }
    found.extend(rows::violations(history, tables, &shown));
    found.extend(recalls::violations(history, &shown));
    if tables.is_application {
        found.extend(conversations::violations(history, tables, &shown));
    } else {
        counter_violations(history, tables, &shown, &mut found);
    }
    found
}

/// A message that was refused is not delivered. One with an id may be shown before MySQL refuses it: once,
/// however often it is sent, and every call hears that it was refused, unless Redis has lost what it knew.
fn refusal_violations(
    key: &Key,
    message: &Message,
    history: &History,
    tables: &Tables,
    seen: usize,
    report: &mut impl FnMut(&str),
) {
    let words = || message.calls.iter().map(|(_, word)| word.as_str());
    let is_rejected = words().any(|word| word == "rejected");
    let (Some((from, _)), Some((to, _))) = (message.calls.first(), message.calls.last()) else { return };
    let has_id = message.chosen_id(key).is_some();
    if seen > 0 && tables.dead.contains(key) && !has_id {
        report("delivered although MySQL refused it");
    }
    if seen > 1 && is_rejected && has_id && !history.has_lost(*from, *to) {
        report("shown again although MySQL refused it");
    }
    if is_rejected && words().skip_while(|word| *word != "rejected").any(|word| word == "ok") {
        report("told that it is stored although MySQL refused it");
    }
    if message.outcome == Outcome::Refused && message.is_stored() && seen > 0 && !is_rejected {
        report("refused but delivered");
    }
}

/// A message has one id, which is the sender's if one was chosen, and no type or conversation of another
/// message.
fn identity_violations(
    key: &Key,
    message: &Message,
    frames: &HashSet<Frame>,
    report: &mut impl FnMut(String),
) {
    let ids: HashSet<_> = frames.iter().map(|frame| frame.id.as_str()).collect();
    let chosen = message.chosen_id(key);
    if ids.len() > 1 || chosen.is_some_and(|chosen| !ids.contains(chosen.as_str())) {
        report(format!("received with the ids {ids:?}"));
    }
    for frame in frames {
        let Frame { message_type, conversation, .. } = frame;
        if !message.may_have_type(key, message_type) {
            report(format!("received with the type {message_type}"));
        }
        if conversation.is_some() && *conversation != message.conversation {
            report(format!("received in the conversation {conversation:?}"));
        }
    }
}

/// A counter is the number of messages that were stored, which were all shown in the end. What Redis has lost
/// may have been shown and not stored, and what was taken back does not count.
fn counter_violations(history: &History, tables: &Tables, shown: &Shown<'_>, found: &mut Vec<String>) {
    let mut counted: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (key, message) in &history.messages {
        if message.is_stored() && shown.contains_key(key) && !tables.dead.contains(key) {
            let (least, most) = counted.entry(message.receiver).or_default();
            *least += u64::from(!message.may_be_lost && !message.may_be_recalled());
            *most += 1;
        }
    }
    for (user, counter) in &tables.counters {
        let (least, most) = counted.get(user).copied().unwrap_or_default();
        let least = if history.cleared.contains(user) { 0 } else { least };
        if !(least..=most).contains(counter) {
            let expected = if least == most { most.to_string() } else { format!("{least} to {most}") };
            found.push(format!("the counter of {user} is {counter}, but {expected} messages were stored"));
        }
    }
}

/// A connection must not receive a message twice, and must receive new messages in the order of the calls.
/// The order of repeated messages is not checked: the application's own delivery loop may push a row again
/// that an earlier connection has confirmed in the meantime.
fn connection_violations<'a>(
    connection: &'a Connection,
    history: &History,
    known: &mut HashSet<&'a Key>,
    found: &mut Vec<String>,
) {
    let mut once = HashSet::new();
    for key in connection.shown.iter().filter(|key| !once.insert(*key)) {
        found.push(format!(
            "received twice on one connection of {} ({}): {key}",
            connection.user, connection.what
        ));
    }
    let stored: Vec<_> = connection
        .shown
        .iter()
        .filter(|key| known.insert(*key) && history.messages.get(*key).is_some_and(Message::is_stored))
        .collect();
    let where_ = format!("a connection of {} ({})", connection.user, connection.what);
    let before = found.len();
    order_violations(&where_, &stored, history, found);
    if let Some(violation) = found.get_mut(before) {
        violation.push_str(&events_of(connection.user, connection.at, history));
    }
}

/// What the connections of a user have received until one that opened at `last` ended, for the report of a violation.
fn events_of(user: u32, last: Duration, history: &History) -> String {
    let connections = history.connections.iter().filter(|one| one.user == user && one.at <= last);
    let of = connections.map(|Connection { at, what, shown, times, .. }| {
        let shown: Vec<_> =
            shown.iter().zip(times).map(|(key, at)| format!("{key} at {:.3}", at.as_secs_f64())).collect();
        format!("{what} from {:.3} s: {}", at.as_secs_f64(), shown.join(", "))
    });
    let mut of: Vec<_> = of.collect();
    of.drain(..of.len().saturating_sub(TOLD_CONNECTIONS));
    format!("; the connections up to it: {}", of.join("; "))
}

/// Messages of one worker must keep the order of its calls.
fn order_violations(place: &str, keys: &[&Key], history: &History, found: &mut Vec<String>) {
    let mut last: HashMap<&str, (usize, &Key)> = HashMap::new();
    for key in keys {
        let Some(message) = history.messages.get(*key) else { continue };
        // A call without a result may have been executed at any time. One that was repeated after a recall, and after
        // Redis has lost its tail, is seen for a moment.
        if message.outcome != Outcome::Accepted || message.may_be_recalled() {
            continue;
        }
        let worker = key.split('-').next().unwrap_or_default();
        if let Some((number, before)) = last.insert(worker, (message.number, key))
            && number > message.number
        {
            let calls = [before, *key].map(|key| history.messages.get(key).map(|message| &message.calls));
            found.push(format!("out of order in {place}: {before} before {key}: {calls:?}"));
        }
    }
}

fn describe(key: &Key, message: &Message, history: &History, shown: &Shown<'_>) -> String {
    let connections: Vec<_> = shown
        .get(key)
        .into_iter()
        .flatten()
        .filter_map(|number| {
            let connection = history.connections.get(*number)?;
            Some(format!("#{number} at {:.3} s, {}", connection.at.as_secs_f64(), connection.what))
        })
        .collect();
    let calls: Vec<_> =
        message.calls.iter().map(|(at, word)| format!("{word} at {:.3} s", at.as_secs_f64())).collect();
    let calls = calls.join(", ");
    format!(
        "{key} ({} to {}, {:?}: {calls}), received on [{}]",
        message.operation,
        message.receiver,
        message.outcome,
        connections.join(", ")
    )
}
