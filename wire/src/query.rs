//! What the extension asks a daemon.
//!
//! A query travels as `<barrier> <reply_to> <json>`. The script that sends it writes the barrier: the last id
//! of the partition's log at that moment. A daemon answers once MySQL has applied everything up to the
//! barrier, so the answer reflects every store that returned before the call.

use serde::{Deserialize, Serialize};

use crate::id::{AnyUserId, InvalidUserId, UserId, UserIdType};
use crate::partition::Partition;
use crate::push_subscription::{PushEndpoint, PushSubscription};
use crate::reply_to::ReplyTo;

/// A query and the version of the side that sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryRequest<U = UserId> {
    /// [`crate::VERSION`].
    pub v: String,
    /// The query.
    pub query: Query<U>,
}

/// One query. `U` is a user id, of a type that is not known yet while it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query<U = UserId> {
    /// Stored rows, oldest first.
    Rows {
        /// The owner of the mailbox.
        user: U,
        /// Only rows with a larger id.
        after: u64,
        /// The most rows to return.
        limit: u32,
    },
    /// The unread counter.
    Unread {
        /// The owner of the counter.
        user: U,
    },
    /// What each conversation counts.
    UnreadCounts {
        /// The owner of the counter.
        user: U,
    },
    /// Leases users of whom somebody is to be told that messages wait.
    Due {
        /// The most users to return.
        limit: u32,
        /// How long nobody else is offered them, in milliseconds.
        lease_ms: u64,
    },
    /// Somebody was told.
    MarkNotified {
        /// Of these users.
        users: Vec<U>,
    },
    /// A browser of the user can be reached by Web Push.
    SavePushSubscription {
        /// Whose browser it is.
        user: U,
        /// Where, and with which keys.
        subscription: PushSubscription,
    },
    /// A browser of the user is not to be reached any more.
    RemovePushSubscription {
        /// Whose browser it is.
        user: U,
        /// Where it was.
        endpoint: PushEndpoint,
    },
}

impl Query {
    /// The user whom it is about, if it is about one.
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Rows { user, .. }
            | Self::Unread { user }
            | Self::UnreadCounts { user }
            | Self::SavePushSubscription { user, .. }
            | Self::RemovePushSubscription { user, .. } => Some(user),
            Self::Due { .. } | Self::MarkNotified { .. } => None,
        }
    }

    /// Where it is asked and answered: the owner's partition, or the first one.
    pub fn partition(&self) -> Partition {
        self.user().map_or(Partition::FIRST, Partition::of)
    }
}

impl Query<AnyUserId> {
    fn of_type(self, ids: UserIdType) -> Result<Query, InvalidUserId> {
        Ok(match self {
            Self::Rows { user, after, limit } => Query::Rows { user: user.of_type(ids)?, after, limit },
            Self::Unread { user } => Query::Unread { user: user.of_type(ids)? },
            Self::UnreadCounts { user } => Query::UnreadCounts { user: user.of_type(ids)? },
            Self::Due { limit, lease_ms } => Query::Due { limit, lease_ms },
            Self::SavePushSubscription { user, subscription } => {
                Query::SavePushSubscription { user: user.of_type(ids)?, subscription }
            }
            Self::RemovePushSubscription { user, endpoint } => {
                Query::RemovePushSubscription { user: user.of_type(ids)?, endpoint }
            }
            Self::MarkNotified { users } => Query::MarkNotified {
                users: users.into_iter().map(|user| user.of_type(ids)).collect::<Result<_, _>>()?,
            },
        })
    }
}

impl QueryRequest {
    /// The JSON of a query of this version.
    pub fn encode(query: Query) -> String {
        // A query consists of numbers and names, which JSON can always represent.
        serde_json::to_string(&Self { v: crate::VERSION.to_owned(), query }).unwrap_or_default()
    }

    /// Reads the barrier, where the answer goes, and the query, whose user ids have this type.
    ///
    /// # Errors
    ///
    /// When the text is not a request of this version.
    pub fn decode(text: &str, ids: UserIdType) -> Result<(&str, ReplyTo<'_>, Self), UnknownQuery> {
        let (barrier, rest) = text.split_once(' ').ok_or(UnknownQuery)?;
        let (reply_to, json) = rest.split_once(' ').ok_or(UnknownQuery)?;
        let reply_to = ReplyTo::parse(reply_to).ok_or(UnknownQuery)?;
        let QueryRequest::<AnyUserId> { v, query } = serde_json::from_str(json).map_err(|_| UnknownQuery)?;
        if v != crate::VERSION {
            return Err(UnknownQuery);
        }
        let query = query.of_type(ids).map_err(|_| UnknownQuery)?;
        Ok((barrier, reply_to, Self { v, query }))
    }
}

/// The text is not a query of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request of version {}", crate::VERSION)]
pub struct UnknownQuery;
