//! What a daemon or a script answers to the extension, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::conversation::Conversation;
use crate::due::DueUser;
use crate::id::{AnyUserId, MessageId, Sender, UserIdType};

/// The answer to one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The message is committed, by this call or by the one that it repeats.
    Stored {
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
    },
    /// The same for each receiver of an entry that has many.
    Each(Each),
    /// The unread counter is 0.
    Cleared,
    /// The number of deleted rows.
    Removed(u64),
    /// Nothing is kept of the user any more.
    Forgotten,
    /// Whether a message was taken back: no client had confirmed it.
    Recalled(bool),
    /// Stored rows.
    Rows {
        /// The rows, oldest first.
        rows: Vec<Row>,
        /// Whether the page is full, so that there may be more rows.
        more: bool,
    },
    /// The unread counter, 0 for an unknown user.
    Unread(u64),
    /// What each conversation counts, of those above 0.
    UnreadCounts(BTreeMap<String, u64>),
    /// Users who are leased to the caller.
    Due(Vec<DueUser>),
    /// How many of the users were due or leased.
    Notified(u64),
    /// A subscription to Web Push is saved.
    PushSubscriptionSaved,
    /// Whether there was such a subscription, which there is not any more.
    PushSubscriptionRemoved(bool),
    /// Who is in a room, as far as one daemon knows.
    Members {
        /// The type of the ids.
        user_id_type: UserIdType,
        /// The users, each once.
        users: Vec<AnyUserId>,
    },
    /// Why nothing was done.
    Refused(Refusal),
}

/// What became of a message for each of many receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Each {
    /// One mark for each receiver, in the order of the entry: `1` or `0` stored, whether the receiver was
    /// connected; `x` refused by MySQL; `f` the mailbox is full.
    marks: String,
    /// MySQL's error for each message that it refused, and the user of each full mailbox, in order.
    errors: Vec<String>,
}

impl Each {
    /// Adds what became of it for the next receiver: whether the receiver was connected, or why it was refused. A
    /// message has no other reason than MySQL's error and a full mailbox.
    pub fn add(&mut self, outcome: Result<bool, Refusal>) {
        match outcome {
            Ok(online) => self.marks.push(if online { '1' } else { '0' }),
            Err(Refusal::MailboxFull(user)) => {
                self.marks.push('f');
                self.errors.push(user);
            }
            Err(Refusal::Rejected(error)) => {
                self.marks.push('x');
                self.errors.push(error);
            }
            Err(other) => {
                self.marks.push('x');
                self.errors.push(other.to_string());
            }
        }
    }

    /// What became of it for each receiver, in the order of the entry.
    pub fn outcomes(&self) -> impl Iterator<Item = Result<bool, Refusal>> {
        let mut errors = self.errors.iter().cloned();
        self.marks.bytes().map(move |mark| match mark {
            b'x' => Err(Refusal::Rejected(errors.next().unwrap_or_default())),
            b'f' => Err(Refusal::MailboxFull(errors.next().unwrap_or_default())),
            mark => Ok(mark == b'1'),
        })
    }
}
/// What a call is told that needs the counters of conversations, where there are none.
pub const NO_CONVERSATIONS: &str = "conversations are not counted: set unread_by_conversation = true in chatpushd, run `chatpushd migrate`, and restart it";

/// Why a daemon or a script did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No daemon is connected to Redis.
    #[error("no chatpushd is running: start one on the same Redis with the same prefix (CHATPUSH_PREFIX)")]
    NoDaemon,
    /// The partition's log or its query list is full.
    #[error("the backlog is full: chatpushd cannot keep up or MySQL is away; nothing was queued")]
    Backlog,
    /// MySQL refused the data, with its error.
    #[error("MySQL refused the message, it is kept in chatpush_dead: {0}")]
    Rejected(String),
    /// As many messages wait for this user as may.
    #[error("mailbox of user {0} is full")]
    MailboxFull(String),
    /// The settings of the daemon do not allow the call.
    #[error("{0}")]
    NotConfigured(String),
    /// The query failed, with the daemon's error.
    #[error("chatpushd could not answer: {0}")]
    Failed(String),
}

/// The time of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SendTime {
    /// Seconds since 1970, from a column of integers.
    Seconds(i64),
    /// A date and time as MySQL prints it; empty for NULL and where there is no column.
    Text(String),
}

impl Default for SendTime {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// One stored row: the application's columns, the message id and the time of acceptance. Its receiver is whoever
/// was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// `offline_message.id`.
    pub id: u64,
    /// `sender_id`.
    pub sender: Sender,
    /// `content`, verbatim.
    pub content: String,
    /// `send_time` as MySQL has it.
    pub send_time: SendTime,
    /// The message's id.
    pub message_id: MessageId,
    /// When it was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// The conversation, if the message belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_for_each_reads_back() {
        let mut each = Each::default();
        let rejected = |error: &str| Err(Refusal::Rejected(error.to_owned()));
        let full = Err(Refusal::MailboxFull("9".to_owned()));
        let outcomes = [Ok(true), rejected("a"), Ok(false), full, rejected("b")];
        for outcome in &outcomes {
            each.add(outcome.clone());
        }
        let json = serde_json::to_string(&Reply::Each(each)).unwrap();
        assert_eq!(json, r#"{"each":{"marks":"1x0fx","errors":["a","9","b"]}}"#);
        let Ok(Reply::Each(read)) = serde_json::from_str(&json) else { panic!("{json}") };
        assert!(read.outcomes().eq(outcomes));
    }

    #[test]
    fn scripts_and_serde_spell_refusals_alike() {
        for (refusal, spelled) in [
            (Refusal::NoDaemon, r#"{"refused":"no_daemon"}"#),
            (Refusal::Backlog, r#"{"refused":"backlog"}"#),
        ] {
            assert_eq!(serde_json::to_string(&Reply::Refused(refusal)).unwrap(), spelled);
            let scripts =
                [crate::lua::ACCEPT.source(), crate::lua::APPEND.source(), crate::lua::QUERY.source()];
            assert!(scripts.iter().any(|source| source.contains(spelled)), "{spelled}");
        }
    }
}
