//! The record of all calls and their results, and of all connections and what they received.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Identifies a message: its content, which is unique.
pub(crate) type Key = String;

/// Whether a message was accepted, by the results of all calls that sent it. A later variant wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Every call reported that nothing was queued.
    Refused,
    /// A call did not report, or its process was killed.
    Unknown,
    /// A call reported that the message is stored or queued.
    Accepted,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its place in the order of first calls, over all workers.
    pub(crate) number: usize,
    /// `store`, `send`, `push` or `loop`.
    pub(crate) operation: String,
    /// The user id of the receiver.
    pub(crate) receiver: u32,
    /// The combined result of its calls.
    pub(crate) outcome: Outcome,
    /// The start of each call, and its result, with the time since the start of the history.
    pub(crate) calls: Vec<(Duration, String)>,
    /// Whether Redis may have lost it: it was not committed when Redis lost its tail.
    pub(crate) may_be_lost: bool,
    /// Calls that have started and not ended.
    pending: u32,
}

/// One connection of a client.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The user id.
    pub(crate) user: u32,
    /// Its subprotocol and how it ended, for the report of a violation.
    pub(crate) what: String,
    /// When it opened, since the start of the history.
    pub(crate) at: Duration,
    /// The messages that it received, in order.
    pub(crate) shown: Vec<Key>,
}

/// The whole record.
#[derive(Debug)]
pub(crate) struct History {
    /// When it began.
    pub(crate) started: Instant,
    /// Messages by key.
    pub(crate) messages: HashMap<Key, Message>,
    /// Connections, in the order of their start.
    pub(crate) connections: Vec<Connection>,
    /// The ids and types that a message was received with. A frame of `chatpush.raw` has neither.
    pub(crate) frames: HashMap<Key, HashSet<(String, String)>>,
    /// When the last store succeeded.
    pub(crate) last_success: Option<Instant>,
    /// The longest time between two successful stores since it was last reset to zero.
    pub(crate) longest_gap: Duration,
    /// The times whose writes Redis has lost, since it began.
    lost_tails: Vec<(Duration, Duration)>,
    /// The number of calls by result.
    pub(crate) outcomes: HashMap<String, u64>,
}

/// Locks the shared history. The lock is never held across an await.
pub(crate) fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for History {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            messages: HashMap::new(),
            connections: Vec::new(),
            frames: HashMap::new(),
            last_success: None,
            longest_gap: Duration::ZERO,
            lost_tails: Vec::new(),
            outcomes: HashMap::new(),
        }
    }
}

impl History {
    /// Records a line that a worker wrote: `>` starts a call, `<` ends it (see `worker.php`).
    pub(crate) fn line(&mut self, line: &str) {
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
                    may_be_lost: false,
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
                    "refused" | "rejected" => Outcome::Refused,
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
            // A killed worker may leave half a line; its call counts as not reported.
            _ => {}
        }
    }

    /// Records that Redis has lost what it has written since `from`.
    pub(crate) fn lost_tail(&mut self, from: Instant) {
        self.lost_tails.push((from - self.started, self.started.elapsed()));
    }

    /// Ends the recording of calls: those without a result are unknown, and so are messages that were only
    /// queued when Redis lost its tail.
    pub(crate) fn close(&mut self) {
        let ended = self.started.elapsed();
        for message in self.messages.values_mut() {
            if message.calls.iter().any(|(_, word)| word == "ok") {
                continue;
            }
            let first = message.calls.first().map_or(ended, |(at, _)| *at);
            let last =
                if message.pending > 0 { ended } else { message.calls.last().map_or(first, |(at, _)| *at) };
            message.may_be_lost = self.lost_tails.iter().any(|(from, to)| first <= *to && *from <= last);
            if message.may_be_lost {
                message.outcome = message.outcome.min(Outcome::Unknown);
            }
        }
        for message in self.messages.values_mut().filter(|message| message.pending > 0) {
            message.outcome = message.outcome.max(Outcome::Unknown);
        }
    }

    /// Records a new connection and returns its number.
    pub(crate) fn connected(&mut self, user: u32, what: String) -> usize {
        let at = self.started.elapsed();
        self.connections.push(Connection { user, what, at, shown: Vec::new() });
        self.connections.len() - 1
    }

    /// Records a message that a connection received, with its id and type if the frame has them.
    pub(crate) fn shown(&mut self, connection: usize, key: Key, frame: Option<(String, String)>) {
        if let Some(frame) = frame {
            self.frames.entry(key.clone()).or_default().insert(frame);
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.shown.push(key);
        }
    }
}

impl Message {
    /// Whether a frame of it may have this type. The loop pushes rows with a type of its own.
    pub(crate) fn may_have_type(&self, key: &Key, found: &str) -> bool {
        let own = if self.operation == "store" { "text" } else { key };
        found == own || self.is_stored() && found == "chat"
    }

    /// The id that the sender has chosen, if there is one.
    pub(crate) fn chosen_id(&self, key: &Key) -> Option<String> {
        (self.operation == "send").then(|| format!("1:{key}"))
    }

    /// Whether its calls store it; a push or a delivery loop does not.
    pub(crate) fn is_stored(&self) -> bool {
        self.operation == "store" || self.operation == "send"
    }
}
