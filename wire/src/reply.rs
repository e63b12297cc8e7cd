//! What comes back to the extension, as JSON behind the number of its call.

use serde::{Deserialize, Serialize};

use crate::id::MessageId;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The message is committed, now or by the call that this one repeats.
    Stored {
        /// Whether the receiver was connected when it was accepted.
        receiver_online: bool,
    },
    /// The counter is cleared.
    Cleared,
    /// So many rows were removed.
    Removed(u64),
    /// Stored rows.
    Rows {
        /// The rows, oldest first.
        rows: Vec<Row>,
        /// Whether the page is full and further rows may follow the last one.
        more: bool,
    },
    /// The unread counter, 0 for an unknown user.
    Unread(u64),
    /// Nothing was done, and why.
    Refused(Refusal),
}

/// Why a daemon or a script did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No daemon is connected to Redis.
    #[error("no chatpushd is running: start one on the same Redis with the same prefix (CHATPUSH_PREFIX)")]
    NoDaemon,
    /// The partition's log, or its list of reads, is full.
    #[error("the backlog is full: chatpushd cannot keep up or MySQL is away; nothing was queued")]
    Backlog,
    /// MySQL refused the data, in its own words.
    #[error("MySQL refused the message, it is kept in chatpush_dead: {0}")]
    Rejected(String),
    /// The look-up failed, in the daemon's words.
    #[error("chatpushd could not answer: {0}")]
    Failed(String),
}

/// One stored row: the application's columns, and what only we know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// `offline_message.id`.
    pub id: u64,
    /// `sender_id`.
    pub sender_id: i64,
    /// `receiver_id`.
    pub receiver_id: i64,
    /// `content`, verbatim.
    pub content: String,
    /// `send_time` as MySQL prints it.
    pub send_time: String,
    /// The message's id.
    pub message_id: MessageId,
    /// When it was accepted, in milliseconds since 1970.
    pub time_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_spell_refusals_as_serde_does() {
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
