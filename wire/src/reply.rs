//! What a daemon or a script answers to the extension, as JSON.

use serde::{Deserialize, Serialize};

use crate::conversation::Conversation;
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
    /// The unread counter is 0.
    Cleared,
    /// The number of deleted rows.
    Removed(u64),
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
