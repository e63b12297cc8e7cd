//! What each function sends to Redis and makes of the answer. PHP types are not known here.

pub(crate) mod connection;
pub(crate) mod forget;
mod groups;
pub(crate) mod live;
pub(crate) mod many;
pub(crate) mod notifications;
pub(crate) mod mailbox;
mod query;
pub(crate) mod recall;
pub(crate) mod rooms;
pub(crate) mod send_many;
pub(crate) mod store;
pub(crate) mod token;

use std::time::{SystemTime, UNIX_EPOCH};

use chatpush_wire::id::MessageId;
use chatpush_wire::reply::Reply;

use crate::error::Error;
use crate::exchange::ScriptOutcome;

/// A new message id of a time in milliseconds since 1970.
fn new_id(now_ms: u64) -> Result<MessageId, Error> {
    let mut entropy = [0; 10];
    getrandom::fill(&mut entropy)?;
    Ok(MessageId::generate(now_ms, entropy))
}

/// The time in milliseconds since 1970.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The reply of a daemon, if it did not refuse.
fn reply(outcome: ScriptOutcome) -> Result<Reply, Error> {
    match outcome {
        ScriptOutcome::Replied(Reply::Refused(refusal)) => Err(refusal.into()),
        ScriptOutcome::Replied(reply) => Ok(reply),
        ScriptOutcome::Accepted(_) => Err(Error::UnexpectedReply),
    }
}

/// The error for a reply that the call cannot have.
fn unexpected(reply: Reply) -> Error {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        _ => Error::UnexpectedReply,
    }
}
