//! Entries of clients that wait for Redis.

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::new_entry;
use tokio::sync::oneshot;

use crate::log::position::Position;

/// An entry that waits for Redis.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A client ack.
    Messages(UserId, Vec<MessageId>),
    /// A clear, and who is told where in the log it is. Dropped without a word if that is not known.
    Clear(UserId, Option<Conversation>, oneshot::Sender<Position>),
}

impl Waiting {
    /// The receiver, and the fields in the log.
    pub(super) fn fields(&self) -> (&UserId, new_entry::Fields<'_>) {
        match self {
            Self::Messages(receiver, ids) => (receiver, new_entry::client_ack(receiver, ids)),
            Self::Clear(receiver, conversation, _) => {
                (receiver, new_entry::clear(receiver, conversation.as_ref()))
            }
        }
    }

    /// Whether it is tried again after a failure. Appending an acknowledgement twice does no harm, since a row
    /// is deleted once. A clear that comes late, or twice, would also clear what arrived in the meantime.
    pub(super) const fn is_repeatable(&self) -> bool {
        matches!(self, Self::Messages(..))
    }

    /// Call this when it is in the log under `id`.
    pub(super) fn appended(self, id: &str) {
        if let Self::Clear(_, _, appended) = self
            && let Ok(position) = id.parse()
        {
            // Nobody waits for it when the daemon stops.
            let _ = appended.send(position);
        }
    }
}
