//! Users of whom somebody is to be told that messages wait.

use serde::{Deserialize, Serialize};

use crate::id::{MessageId, Sender};

/// What a call is told that needs notifications, where nobody is told.
pub const NO_NOTIFICATIONS: &str = "nobody is told of messages that wait: set notify.after in chatpushd, run `chatpushd migrate`, and restart it";

/// A user who is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueUser {
    /// The user.
    pub user: Sender,
    /// How many messages wait, counted up to 1,000.
    pub waiting: u64,
    /// The unread counter.
    pub unread: u64,
    /// When the oldest message that waits was accepted, in milliseconds since 1970; none if the rows are gone.
    pub first_time: Option<u64>,
    /// The newest message that waits; none if the rows are gone.
    pub last: Option<LastMessage>,
}

/// The newest message that waits for a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMessage {
    /// Its id.
    pub message_id: MessageId,
    /// Who has sent it.
    pub sender: Sender,
    /// Its type, encoded.
    pub message_type: String,
    /// Its content.
    pub content: String,
    /// When it was accepted, in milliseconds since 1970.
    pub time: u64,
}
