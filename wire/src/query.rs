//! What the extension asks a daemon to look up.
//!
//! It is asked as `<barrier> <reply_to> <json>`. The script that asks writes the barrier: the last
//! id of the partition's log at that moment. A daemon answers once MySQL holds everything up to there, so
//! the answer sees every store that returned before the call.

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::reply_to::ReplyTo;

/// One look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryRequest {
    /// [`crate::VERSION`].
    pub v: String,
    /// What is asked.
    pub query: Query,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
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

impl Query {
    /// Whose mailbox is asked about.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Rows { user, .. } | Self::Unread { user } => *user,
        }
    }
}

impl QueryRequest {
    /// A request of this version.
    pub fn new(query: Query) -> Self {
        Self { v: crate::VERSION.to_owned(), query }
    }

    /// Reads what is asked: the barrier, who waits, and the request.
    ///
    /// # Errors
    ///
    /// When the text is not a request of this version.
    pub fn decode(text: &str) -> Result<(&str, ReplyTo<'_>, Self), UnknownQuery> {
        let (barrier, rest) = text.split_once(' ').ok_or(UnknownQuery)?;
        let (reply_to, json) = rest.split_once(' ').ok_or(UnknownQuery)?;
        let reply_to = ReplyTo::parse(reply_to).ok_or(UnknownQuery)?;
        let request: Self = serde_json::from_str(json).map_err(|_| UnknownQuery)?;
        if request.v != crate::VERSION {
            return Err(UnknownQuery);
        }
        Ok((barrier, reply_to, request))
    }
}

/// A question that this version does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request of version {}", crate::VERSION)]
pub struct UnknownQuery;
