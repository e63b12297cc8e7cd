//! Checks each message: was it delivered, once, in order, and counted?

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::history::{Connection, History, Key, Message, Outcome};

/// The contents of the tables after the last fault, when all logs were applied.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// `offline_message` before the final delivery: contents by receiver, oldest first.
    pub(crate) before: BTreeMap<u32, Vec<Key>>,
    /// Rows that are left after the final delivery.
    pub(crate) left: u64,
    /// Contents in `chatpush_dead`.
    pub(crate) dead: HashSet<Key>,
    /// `user.unread_count`.
    pub(crate) counters: BTreeMap<u32, u64>,
}

/// Returns all violations, each with the calls and connections of its message.
pub(crate) fn violations(history: &History, tables: &Tables) -> Vec<String> {
    let mut found = Vec::new();
    let mut shown: HashMap<&Key, Vec<usize>> = HashMap::new();
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
        {
            found.push(report("lost"));
        }
        if seen > 0 && tables.dead.contains(key) {
            found.push(report("delivered although MySQL refused it"));
        }
        if message.outcome == Outcome::Refused && message.is_stored() && seen > 0 {
            found.push(report("refused but delivered"));
        }
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
    for (user, rows) in &tables.before {
        let mut twice = HashSet::new();
        for key in rows.iter().filter(|key| !twice.insert(*key)) {
            found.push(format!("stored twice for {user}: {key}"));
        }
        let stored: Vec<_> = rows.iter().filter(|key| history.messages.contains_key(*key)).collect();
        order_violations(&format!("rows of {user}"), &stored, history, &mut found);
    }
    if tables.left > 0 {
        found.push(format!("{} rows were never confirmed", tables.left));
    }
    counter_violations(history, tables, &shown, &mut found);
    found
}

/// A message has one id, which is the sender's if one was chosen, and no type of another message.
fn identity_violations(
    key: &Key,
    message: &Message,
    frames: &HashSet<(String, String)>,
    report: &mut impl FnMut(String),
) {
    let ids: HashSet<_> = frames.iter().map(|(id, _)| id.as_str()).collect();
    let chosen = message.chosen_id(key);
    if ids.len() > 1 || chosen.is_some_and(|chosen| !ids.contains(chosen.as_str())) {
        report(format!("received with the ids {ids:?}"));
    }
    for (_, found) in frames.iter().filter(|(_, found)| !message.may_have_type(key, found)) {
        report(format!("received with the type {found}"));
    }
}

/// A counter is the number of messages that were stored, which were all shown in the end. What Redis has lost
/// may have been shown and not stored.
fn counter_violations(
    history: &History,
    tables: &Tables,
    shown: &HashMap<&Key, Vec<usize>>,
    found: &mut Vec<String>,
) {
    let mut counted: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (key, message) in &history.messages {
        if message.is_stored() && shown.contains_key(key) {
            let (least, most) = counted.entry(message.receiver).or_default();
            *least += u64::from(!message.may_be_lost);
            *most += 1;
        }
    }
    for (user, counter) in &tables.counters {
        let (least, most) = counted.get(user).copied().unwrap_or_default();
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
    order_violations(&where_, &stored, history, found);
}

/// Messages of one worker must keep the order of its calls.
fn order_violations(place: &str, keys: &[&Key], history: &History, found: &mut Vec<String>) {
    let mut last: HashMap<&str, (usize, &Key)> = HashMap::new();
    for key in keys {
        let Some(message) = history.messages.get(*key) else { continue };
        // A call without a result may have been executed at any time.
        if message.outcome != Outcome::Accepted {
            continue;
        }
        let worker = key.split('-').next().unwrap_or_default();
        if let Some((number, before)) = last.insert(worker, (message.number, key))
            && number > message.number
        {
            found.push(format!("out of order in {place}: {before} before {key}"));
        }
    }
}

fn describe(key: &Key, message: &Message, history: &History, shown: &HashMap<&Key, Vec<usize>>) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        for line in lines {
            history.line(&line.replace(' ', "\t"));
        }
        history.close();
        history
    }

    fn shown(mut history: History, user: u32, keys: &[&str]) -> History {
        let connection = history.connected(user, "plain".to_owned());
        for key in keys {
            history.shown(connection, (*key).to_owned(), None);
        }
        history
    }

    const TWO: [&str; 4] = ["> a-s-1 store 1", "< a-s-1 ok", "> a-s-2 store 1", "< a-s-2 queued"];

    fn tables(counter: u64) -> Tables {
        Tables { counters: [(1, counter)].into(), ..Tables::default() }
    }

    fn words(found: &[String]) -> Vec<&str> {
        let mut words: Vec<_> = found.iter().filter_map(|text| text.split(' ').next()).collect();
        words.sort_unstable();
        words
    }

    #[test]
    fn correct_history_has_no_violation() {
        let history = shown(history(&TWO), 1, &["a-s-1", "a-s-2"]);
        assert_eq!(violations(&history, &tables(2)), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_violation_is_found() {
        let found = violations(&shown(history(&TWO), 1, &["a-s-1"]), &tables(1));
        assert_eq!(words(&found), ["lost:"], "{found:?}");
        let found = violations(&shown(history(&TWO), 1, &["a-s-2", "a-s-1"]), &tables(2));
        assert_eq!(words(&found), ["out"], "{found:?}");
        let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2", "a-s-1"]), &tables(2));
        assert_eq!(words(&found), ["received"], "{found:?}");
        let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), &tables(3));
        assert_eq!(words(&found), ["the"], "{found:?}");
        let found =
            violations(&shown(shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), 2, &["a-s-1"]), &tables(2));
        assert_eq!(words(&found), ["delivered"], "{found:?}");
        let refused = history(&["> a-s-1 store 1", "< a-s-1 refused"]);
        let found = violations(&shown(refused, 1, &["a-s-1"]), &tables(1));
        assert_eq!(words(&found), ["refused"], "{found:?}");
        let mut doubled = tables(2);
        doubled.before.insert(1, vec!["a-s-1".to_owned(), "a-s-1".to_owned()]);
        doubled.left = 1;
        let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), &doubled);
        assert_eq!(words(&found), ["1", "stored"], "{found:?}");
    }

    #[test]
    fn another_id_or_type_is_found() {
        let receive = |frames: &[(&str, &str)]| {
            let mut history = history(&["> a-m-1 send 1", "< a-m-1 ok"]);
            for (id, found) in frames {
                let connection = history.connected(1, "plain".to_owned());
                let frame = ((*id).to_owned(), (*found).to_owned());
                history.shown(connection, "a-m-1".to_owned(), Some(frame));
            }
            violations(&history, &tables(1))
        };
        assert_eq!(receive(&[("1:a-m-1", "a-m-1"), ("1:a-m-1", "chat")]), Vec::<String>::new());
        for frames in
            [&[("1:a-m-2", "a-m-1")][..], &[("1:a-m-1", "a-m-2")], &[("1:a-m-1", "a-m-1"), ("x", "a-m-1")]]
        {
            let found = receive(frames);
            assert_eq!(words(&found), ["received"], "{found:?}");
        }
    }

    #[test]
    fn what_redis_has_lost_may_be_missing_unless_it_was_committed() {
        let lines: Vec<_> = TWO.iter().map(|line| line.replace(' ', "\t")).collect();
        let lost = |from_start: bool| {
            let mut history = History::default();
            let start = history.started;
            for line in &lines {
                history.line(line);
            }
            history.lost_tail(if from_start { start } else { std::time::Instant::now() });
            history.close();
            history
        };
        let found = violations(&shown(lost(true), 1, &["a-s-1"]), &tables(1));
        assert_eq!(found, Vec::<String>::new());
        // It was shown before, and is not stored.
        let found = violations(&shown(lost(true), 1, &["a-s-1", "a-s-2"]), &tables(1));
        assert_eq!(found, Vec::<String>::new());
        let found = violations(&shown(lost(true), 1, &["a-s-2"]), &tables(1));
        assert_eq!(words(&found), ["lost:"], "{found:?}");
        let found = violations(&shown(lost(true), 1, &["a-s-1", "a-s-2"]), &tables(3));
        assert_eq!(words(&found), ["the"], "{found:?}");
        // It was queued before.
        let found = violations(&shown(lost(false), 1, &["a-s-1"]), &tables(1));
        assert_eq!(words(&found), ["lost:"], "{found:?}");
    }

    #[test]
    fn unknown_calls_may_have_been_executed_or_not() {
        let unknown = ["> a-s-1 store 1", "> a-s-2 store 1", "< a-s-2 unknown"];
        assert!(violations(&history(&unknown), &tables(0)).is_empty());
        assert!(violations(&shown(history(&unknown), 1, &["a-s-2", "a-s-1"]), &tables(2)).is_empty());
    }
}
