//! Messages that were taken back: not shown any more, and taken back once. What could not be taken back was
//! received.

use std::time::Duration;

use super::{Shown, describe};
use crate::history::{Connection, History, Key, LATE, Message, Outcome, Recall};

/// How long after a message a connection must have lived to be told that it was recalled.
const TOLD: Duration = Duration::from_secs(1);

/// What is wrong with them.
pub(super) fn violations(history: &History, shown: &Shown<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, message) in history.messages.iter().filter(|(_, message)| !message.recalls.is_empty()) {
        let mut report =
            |what: &str| found.push(format!("{what}: {}", describe(key, message, history, shown)));
        let mut taken = message.recalls.iter().filter(|(.., recall)| *recall == Recall::Taken);
        let first = taken.next();
        if taken.next().is_some() {
            report("recalled twice");
        }
        let connections: Vec<_> = shown
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|number| history.connections.get(*number))
            .collect();
        if let Some((_, end, _)) = first {
            for connection in &connections {
                shown_after(key, message, connection, *end, &mut report);
            }
        }
        if !message.may_be_recalled() && is_missing_before(key, message, &connections) {
            report("not recalled although nobody had it");
        }
    }
    found
}

/// What is on its way when the message is recalled comes before the frame that says so. One that is sent again after
/// it, while Redis has lost its last entries, is shown until MySQL is asked.
fn shown_after(
    key: &Key,
    message: &Message,
    connection: &Connection,
    recalled: Duration,
    report: &mut impl FnMut(&str),
) {
    let id = message.chosen_id(key).unwrap_or_default();
    for (place, at) in places(key, connection).filter(|(_, at)| *at > recalled) {
        let sent_again = message.calls.iter().any(|(end, _)| *end > recalled);
        if at > recalled + LATE && !sent_again {
            report("shown although it was recalled before");
        }
        let told = connection.recalled.iter().any(|(other, before)| *other == id && *before > place);
        let lived =
            connection.times.last().is_some_and(|last| *last > at + if sent_again { LATE } else { TOLD });
        if connection.what.starts_with("chatpush.v1") && lived && !told {
            report("shown although it was recalled before, and not removed");
        }
    }
}

/// Whether a recall failed although the message was stored before, and nobody had received it.
fn is_missing_before(key: &Key, message: &Message, connections: &[&Connection]) -> bool {
    let Some((_, end, Recall::NotTaken)) = message.recalls.first().copied() else { return false };
    let sent = message.calls.iter().find(|(_, word)| word == "ok");
    let is_stored = message.outcome == Outcome::Accepted && sent.is_some_and(|(at, _)| *at < end);
    is_stored && !connections.iter().any(|connection| places(key, connection).any(|(_, at)| at <= end))
}

/// Where and when a connection received a message.
fn places(key: &Key, connection: &Connection) -> impl Iterator<Item = (usize, Duration)> {
    let shown = connection.shown.iter().zip(&connection.times).enumerate();
    shown.filter(move |(_, (shown, _))| *shown == key).map(|(place, (_, at))| (place, *at))
}
