//! What every call returned and what every connection received.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A message, by the content that no other has.
pub type Key = String;

/// What is known of a message's acceptance from the calls that were made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Every call said that nothing was queued.
    Refused,
    /// A call ended, or its process did, without saying.
    Unknown,
    /// A call said that it is, or will be, stored.
    Accepted,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The order of first calls, over all workers.
    pub number: usize,
    /// `store`, `send`, `push` or `loop`.
    pub operation: String,
    /// Whose.
    pub receiver: u32,
    /// What the calls said.
    pub outcome: Outcome,
    /// When each call began and what it said at its end, since the history was opened.
    pub calls: Vec<(Duration, String)>,
    /// Calls that have begun and not ended.
    pending: u32,
}

/// One connection of a client.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Whose.
    pub user: u32,
    /// How it confirmed and how it ended, for the text of a violation.
    pub what: String,
    /// When it was opened, since the history was.
    pub at: Duration,
    /// What it was shown, in order.
    pub shown: Vec<Key>,
}

/// Everything that happened.
#[derive(Debug)]
pub struct History {
    /// When it was opened.
    pub started: Instant,
    /// Messages by key.
    pub messages: HashMap<Key, Message>,
    /// Connections, in the order in which they were opened.
    pub connections: Vec<Connection>,
    /// When a store last succeeded.
    pub last_success: Option<Instant>,
    /// The longest time between two successes since somebody set it to nothing.
    pub longest_gap: Duration,
    /// How many calls ended with each word.
    pub outcomes: HashMap<String, u64>,
}

/// Opens the history that everybody writes into. Nobody awaits while holding the lock.
pub fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for History {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            messages: HashMap::new(),
            connections: Vec::new(),
            last_success: None,
            longest_gap: Duration::ZERO,
            outcomes: HashMap::new(),
        }
    }
}

impl History {
    /// Takes in a line that a worker wrote.
    pub fn line(&mut self, line: &str) {
        let fields: Vec<_> = line.split('\t').collect();
        let since = self.started.elapsed();
        match fields[..] {
            [">", key, operation, receiver] => {
                let number = self.messages.len();
                let message = self.messages.entry(key.to_owned()).or_insert_with(|| Message {
                    number,
                    operation: operation.to_owned(),
                    receiver: receiver.parse().unwrap_or(0),
                    outcome: Outcome::Refused,
                    calls: Vec::new(),
                    pending: 0,
                });
                message.pending += 1;
                message.calls.push((since, "called".to_owned()));
            }
            ["<", key, word] => {
                *self.outcomes.entry(word.to_owned()).or_default() += 1;
                let Some(message) = self.messages.get_mut(key) else { return };
                message.pending -= 1;
                message.calls.push((since, word.to_owned()));
                let outcome = match word {
                    "ok" | "queued" => Outcome::Accepted,
                    "refused" => Outcome::Refused,
                    _ => Outcome::Unknown,
                };
                message.outcome = message.outcome.max(outcome);
                if word == "ok" && message.is_stored() {
                    let now = Instant::now();
                    let gap = self.last_success.map_or(Duration::ZERO, |last| now - last);
                    self.longest_gap = self.longest_gap.max(gap);
                    self.last_success = Some(now);
                }
            }
            // A line that was cut off with its worker tells nothing that the next one would not.
            _ => {}
        }
    }

    /// Every call that has not ended never will.
    pub fn close(&mut self) {
        for message in self.messages.values_mut().filter(|message| message.pending > 0) {
            message.outcome = message.outcome.max(Outcome::Unknown);
        }
    }

    /// Notes a connection and returns its number.
    pub fn connected(&mut self, user: u32, what: String) -> usize {
        let at = self.started.elapsed();
        self.connections.push(Connection { user, what, at, shown: Vec::new() });
        self.connections.len() - 1
    }

    /// Notes what a connection was shown.
    pub fn shown(&mut self, connection: usize, key: Key) {
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.shown.push(key);
        }
    }
}

impl Message {
    /// Whether it is a message that is stored, and not a push or a loop.
    pub fn is_stored(&self) -> bool {
        self.operation == "store" || self.operation == "send"
    }
}
