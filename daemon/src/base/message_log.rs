//! One log line for each step of a message, at the level `debug` with the target `chatpush::message`: who was sent
//! what over which connection, never its content. While the level is off, a line costs the look at one atomic.

use std::fmt::Display;

use chatpush_wire::id::{MessageId, UserId};
use tracing::Level;

/// The target of the lines.
macro_rules! step {
    ($($field:tt)*) => { tracing::debug!(target: "chatpush::message", $($field)*) };
}

/// Whether the lines are logged.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: "chatpush::message", Level::DEBUG)
}

/// The writer has read the message from the log.
pub(crate) fn accepted(id: &MessageId, user: &UserId) {
    step!(message_id = %id, %user, "accepted");
}

/// MySQL has committed the message.
pub(crate) fn stored(id: &MessageId, user: &UserId) {
    step!(message_id = %id, %user, "stored");
}

/// MySQL, or a full mailbox, has refused the message.
pub(crate) fn refused(id: &MessageId, user: &UserId, reason: &str) {
    step!(message_id = %id, %user, reason, "refused");
}

/// The message was written to a connection.
pub(crate) fn sent(id: &impl Display, user: &UserId, connection: u64, is_stored: bool) {
    step!(message_id = %id, %user, connection, stored = is_stored, "sent");
}

/// The client of a connection has confirmed the message.
pub(crate) fn confirmed(id: &MessageId, user: &UserId, connection: u64) {
    step!(message_id = %id, %user, connection, "confirmed");
}

/// A client has connected.
pub(crate) fn connected(user: &UserId, connection: u64) {
    step!(%user, connection, "connected");
}

/// A connection has ended: with this close code, or because the client has closed it, or it broke.
pub(crate) fn closed(user: &UserId, connection: u64, code: &str) {
    step!(%user, connection, code, "closed");
}
