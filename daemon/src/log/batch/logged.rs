//! An entry of a partition's log, and what it touches.

use chatpush_wire::entry::{Entry, Malformed};
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;

use crate::log::position::Position;

/// An entry as it was read from a partition's log.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// Whose log.
    pub(crate) partition: Partition,
    /// Its id in the log.
    pub(crate) position: Position,
    /// The decoded entry, or why this version cannot read it.
    pub(crate) entry: Result<Entry, Malformed>,
    /// The fields as they are in the log, for a dead letter.
    pub(crate) fields: Vec<(String, String)>,
}

impl LogEntry {
    /// How many rows the entry touches.
    pub(crate) fn rows(&self) -> usize {
        match &self.entry {
            Ok(Entry::ClientAck { ids, .. } | Entry::Recall { ids, .. }) => ids.len(),
            Ok(Entry::AppDelete { rows, .. }) => rows.len(),
            Ok(Entry::MessageToMany { receivers, .. } | Entry::DuplicateToMany { receivers, .. }) => {
                receivers.len()
            }
            _ => 1,
        }
    }

    /// The size of its fields.
    pub(crate) fn bytes(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// About how much it takes in statements: a content that stands in the entry once becomes many rows.
    pub(crate) fn statement_bytes(&self) -> usize {
        match &self.entry {
            Ok(Entry::MessageToMany { receivers, content, .. }) => {
                self.bytes() + content.len() * receivers.len().saturating_sub(1)
            }
            _ => self.bytes(),
        }
    }

    /// The user to forget.
    pub(crate) fn forgotten(&self) -> Option<&UserId> {
        match &self.entry {
            Ok(Entry::Forget { receiver, .. }) => Some(receiver),
            _ => None,
        }
    }

    /// The receivers and id of the message of a repeated call.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = (&UserId, &MessageId)> {
        let one = match &self.entry {
            Ok(Entry::Duplicate { id, receiver, .. }) => Some((receiver, id)),
            _ => None,
        };
        one.into_iter().chain(self.addressees(true))
    }

    /// The receivers and id of a message.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&UserId, &MessageId)> {
        let one = match &self.entry {
            Ok(Entry::Message { id, receiver, .. }) => Some((receiver, id)),
            _ => None,
        };
        one.into_iter().chain(self.addressees(false))
    }

    /// The many receivers of an entry and the id of its message.
    fn addressees(&self, repeated: bool) -> impl Iterator<Item = (&UserId, &MessageId)> {
        let many = match &self.entry {
            Ok(Entry::MessageToMany { id, receivers, .. } | Entry::DuplicateToMany { id, receivers, .. }) => {
                Some((id, receivers))
            }
            _ => None,
        };
        many.into_iter().flat_map(move |(id, receivers)| {
            let chosen = receivers.iter().filter(move |receiver| receiver.repeated == repeated);
            chosen.map(move |receiver| (&receiver.user, id))
        })
    }
}
