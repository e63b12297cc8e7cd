//! Message by message: was it kept, once, in order, and counted?

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::history::{Connection, History, Key, Message, Outcome};

/// What the tables held once it was quiet.
#[derive(Debug, Default)]
pub struct Tables {
    /// Contents in `offline_message` before the last clients came, by receiver, oldest first.
    pub before: BTreeMap<u32, Vec<Key>>,
    /// How many rows were left at the end.
    pub left: u64,
    /// Contents in `chatpush_dead`.
    pub dead: HashSet<Key>,
    /// `user.unread_count`.
    pub counters: BTreeMap<u32, u64>,
}

/// Every violation, each with the calls and connections of its message.
pub fn violations(history: &History, tables: &Tables) -> Vec<String> {
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
        let tell = |what: &str| format!("{what}: {}", describe(key, message, history, &shown));
        if message.is_stored()
            && message.outcome == Outcome::Accepted
            && seen == 0
            && !tables.dead.contains(key)
        {
            found.push(tell("lost"));
        }
        if seen > 0 && tables.dead.contains(key) {
            found.push(tell("delivered, and refused by MySQL"));
        }
        if message.outcome == Outcome::Refused && message.is_stored() && seen > 0 {
            found.push(tell("refused and delivered all the same"));
        }
        let receivers: HashSet<_> = shown
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|number| history.connections.get(*number))
            .map(|connection| connection.user)
            .collect();
        if receivers.iter().any(|user| *user != message.receiver) {
            found.push(tell("delivered to somebody else"));
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
        found.push(format!("{} rows were never confirmed away", tables.left));
    }
    let mut counted: BTreeMap<u32, u64> = BTreeMap::new();
    for (key, message) in &history.messages {
        if message.is_stored() && shown.contains_key(key) {
            *counted.entry(message.receiver).or_default() += 1;
        }
    }
    for (user, counter) in &tables.counters {
        let expected = counted.get(user).copied().unwrap_or(0);
        if *counter != expected {
            found.push(format!("the counter of {user} is {counter} and {expected} messages were stored"));
        }
    }
    found
}

/// A connection shows nothing twice, and what nobody had been shown before in the order of the calls. (An
/// application's own loop may push a row once more that an earlier connection has confirmed meanwhile.)
fn connection_violations<'a>(
    connection: &'a Connection,
    history: &History,
    known: &mut HashSet<&'a Key>,
    found: &mut Vec<String>,
) {
    let mut once = HashSet::new();
    for key in connection.shown.iter().filter(|key| !once.insert(*key)) {
        found.push(format!(
            "shown twice on one connection of {} ({}): {key}",
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

/// Messages of one worker must come in the order of its calls.
fn order_violations(place: &str, keys: &[&Key], history: &History, found: &mut Vec<String>) {
    let mut last: HashMap<&str, (usize, &Key)> = HashMap::new();
    for key in keys {
        let Some(message) = history.messages.get(*key) else { continue };
        // A call whose end nobody saw may have been carried out at any time.
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
        "{key} ({} to {}, {:?}: {calls}), shown on [{}]",
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
            history.shown(connection, (*key).to_owned());
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
    fn a_clean_run_has_no_violation() {
        let history = shown(history(&TWO), 1, &["a-s-1", "a-s-2"]);
        assert_eq!(violations(&history, &tables(2)), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_violation_is_found() {
        let found = violations(&shown(history(&TWO), 1, &["a-s-1"]), &tables(1));
        assert_eq!(words(&found), ["lost:"], "{found:?}");
        let found = violations(&shown(history(&TWO), 1, &["a-s-2", "a-s-1"]), &tables(2));
        assert_eq!(words(&found), ["out"], "{found:?}");
        let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2", "a-s-1"]), &tables(2));
        assert_eq!(words(&found), ["shown"], "{found:?}");
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
    fn what_nobody_knows_may_have_happened_or_not() {
        let unknown = ["> a-s-1 store 1", "> a-s-2 store 1", "< a-s-2 unknown"];
        assert!(violations(&history(&unknown), &tables(0)).is_empty());
        assert!(violations(&shown(history(&unknown), 1, &["a-s-2", "a-s-1"]), &tables(2)).is_empty());
    }
}
