//! What the extension asks a daemon to look up.
//!
//! It is asked as `<barrier> <ticket> <json>`. The script that asks writes the barrier: the last
//! id of the partition's log at that moment. A daemon answers once MySQL holds everything up to there, so
//! the answer sees every store that returned before the call.

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::ticket::Ticket;

/// One look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`crate::VERSION`].
    pub v: String,
    /// What is asked.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Stored rows, oldest first.
    Rows {
        /// Whose.
        user: UserId,
        /// Only rows with a larger id.
        after: u64,
        /// At most so many.
        limit: u32,
    },
    /// The unread counter.
    Unread {
        /// Whose.
        user: UserId,
    },
}

impl Ask {
    /// Whose mailbox is asked about.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Rows { user, .. } | Self::Unread { user } => *user,
        }
    }
}

impl Request {
    /// A request of this version.
    pub fn new(ask: Ask) -> Self {
        Self { v: crate::VERSION.to_owned(), ask }
    }

    /// Reads what is asked: the barrier, who waits, and the request.
    ///
    /// # Errors
    ///
    /// When the text is not a request of this version.
    pub fn decode(text: &str) -> Result<(&str, Ticket<'_>, Self), UnknownRequest> {
        let (barrier, rest) = text.split_once(' ').ok_or(UnknownRequest)?;
        let (ticket, json) = rest.split_once(' ').ok_or(UnknownRequest)?;
        let ticket = Ticket::parse(ticket).ok_or(UnknownRequest)?;
        let request: Self = serde_json::from_str(json).map_err(|_| UnknownRequest)?;
        if request.v != crate::VERSION {
            return Err(UnknownRequest);
        }
        Ok((barrier, ticket, request))
    }
}

/// A question that this version does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request of version {}", crate::VERSION)]
pub struct UnknownRequest;
