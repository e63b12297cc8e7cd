//! The record of all calls and their results, and of all connections and what they received.

mod lines;
mod message;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use self::message::{Message, Outcome, Recall};

/// Identifies a message to one receiver: its content, or its id where the content comes again. A message to
/// many has `@` and the receiver's number behind it.
pub(crate) type Key = String;

/// How long a call that did not report may still take effect: its command may be on its way, and a paused
/// process may hold it.
pub(crate) const LATE: Duration = Duration::from_secs(20);

/// What changes the count of a conversation of a user, in the order of the calls. Only one worker does.
#[derive(Clone, Debug)]
pub(crate) enum Counted {
    /// The first call that sent a message.
    Sent(Key),
    /// A clear: its end, and whether it was certainly done.
    Cleared {
        /// When it began.
        from: Duration,
        /// When it reported.
        to: Duration,
        /// Whether it was certainly done, or certainly not.
        done: Option<bool>,
        /// Whether it was only queued, in Redis.
        queued: bool,
    },
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
    /// When it received each.
    pub(crate) times: Vec<Duration>,
    /// The ids of recall frames, with the number of messages that it had received before.
    pub(crate) recalled: Vec<(String, usize)>,
}

/// The fields of a message frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// The message id.
    pub(crate) id: String,
    /// The type.
    pub(crate) message_type: String,
    /// The conversation, if it names one.
    pub(crate) conversation: Option<String>,
}

/// The whole record.
#[derive(Debug)]
pub(crate) struct History {
    /// When it began.
    pub(crate) started: Instant,
    /// Messages by key.
    pub(crate) messages: BTreeMap<Key, Message>,
    /// Connections, in the order of their start.
    pub(crate) connections: Vec<Connection>,
    /// What a message was received with. A frame of `chatpush.raw` has nothing of it.
    pub(crate) frames: HashMap<Key, HashSet<Frame>>,
    /// What changed the count of a conversation of a user.
    pub(crate) counted: HashMap<(u32, String), Vec<Counted>>,
    /// Users whose whole counter was cleared.
    pub(crate) cleared: HashSet<u32>,
    /// What was seen to be wrong at once.
    pub(crate) wrong: Vec<String>,
    /// When the last store succeeded.
    pub(crate) last_success: Option<Instant>,
    /// The longest time between two successful stores since it was last reset to zero.
    pub(crate) longest_gap: Duration,
    /// The times whose writes Redis has lost, since it began.
    lost_tails: Vec<(Duration, Duration)>,
    /// The number of calls by result.
    pub(crate) outcomes: HashMap<String, u64>,
    /// Clears that have not reported: when they began.
    clearing: HashMap<(u32, String), Duration>,
    /// Recalls that have not reported: when they began.
    recalling: HashMap<Key, Duration>,
}

/// Locks the shared history. The lock is never held across an await.
pub(crate) fn lock(history: &Mutex<History>) -> MutexGuard<'_, History> {
    history.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for History {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            messages: BTreeMap::new(),
            connections: Vec::new(),
            frames: HashMap::new(),
            last_success: None,
            longest_gap: Duration::ZERO,
            lost_tails: Vec::new(),
            outcomes: HashMap::new(),
            counted: HashMap::new(),
            cleared: HashSet::new(),
            wrong: Vec::new(),
            clearing: HashMap::new(),
            recalling: HashMap::new(),
        }
    }
}

impl History {
    /// Records that Redis has lost what it has written since `from`.
    pub(crate) fn lost_tail(&mut self, from: Instant) {
        self.lost_tails.push((from - self.started, self.started.elapsed()));
    }

    /// Ends the recording of calls: those without a result are unknown, and so are messages and clears that were
    /// only queued when Redis lost its tail.
    pub(crate) fn close(&mut self) {
        let ended = self.started.elapsed();
        for (counted, from) in std::mem::take(&mut self.clearing) {
            self.clear(counted, from, "unknown");
        }
        for (key, from) in std::mem::take(&mut self.recalling) {
            if let Some(message) = self.messages.get_mut(&key) {
                message.recalls.push((from, ended, Recall::Unknown));
            }
        }
        let lost_tails = std::mem::take(&mut self.lost_tails);
        for message in self.messages.values_mut() {
            if message.pending > 0 {
                message.outcome = message.outcome.max(Outcome::Unknown);
            }
            if message.calls.iter().any(|(_, word)| word == "ok") {
                continue;
            }
            let first = message.calls.first().map_or(ended, |(at, _)| *at);
            let last =
                if message.pending > 0 { ended } else { message.calls.last().map_or(first, |(at, _)| *at) };
            message.may_be_lost = lost_tails.iter().any(|(from, to)| first <= *to && *from <= last);
            if message.may_be_lost {
                message.outcome = message.outcome.min(Outcome::Unknown);
            }
        }
        for clear in self.counted.values_mut().flatten() {
            if let Counted::Cleared { from, to, done, queued: true } = clear
                && lost_tails.iter().any(|(first, last)| *from <= *last && *first <= *to)
            {
                *done = None;
            }
        }
        self.lost_tails = lost_tails;
    }

    /// Records a new connection and returns its number.
    pub(crate) fn connected(&mut self, user: u32, what: String) -> usize {
        let at = self.started.elapsed();
        let (shown, times, recalled) = (Vec::new(), Vec::new(), Vec::new());
        self.connections.push(Connection { user, what, at, shown, times, recalled });
        self.connections.len() - 1
    }

    /// Records a message that a connection received, with the other fields of its frame if it has them.
    pub(crate) fn shown(&mut self, connection: usize, key: Key, frame: Option<Frame>) {
        let at = self.started.elapsed();
        if let Some(frame) = frame {
            self.frames.entry(key.clone()).or_default().insert(frame);
        }
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.shown.push(key);
            connection.times.push(at);
        }
    }

    /// Records that a connection was told that a message was taken back.
    pub(crate) fn told(&mut self, connection: usize, id: &str) {
        if let Some(connection) = self.connections.get_mut(connection) {
            connection.recalled.push((id.to_owned(), connection.shown.len()));
        }
    }

    /// Whether Redis has lost what was written at some time from `from` to `to`.
    pub(crate) fn has_lost(&self, from: Duration, to: Duration) -> bool {
        self.lost_tails.iter().any(|(first, last)| from <= *last && *first <= to)
    }
}
