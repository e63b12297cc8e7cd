//! What this daemon is subscribed to on behalf of its connections.

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use chatpush_wire::room::Room;

/// Something that is published, and that connections of this daemon wait for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// What is pushed to a user: while the user has a connection here.
    User(UserId),
    /// What is pushed to a room: while a connection here is in it.
    Room(Room),
    /// What is pushed to everybody: while there is a connection here.
    Everyone,
    /// Announcements of who connects and disconnects in a partition: while a connection here watches others.
    Presence(Partition),
}

impl Topic {
    /// Announcements in every partition.
    pub(crate) fn presence() -> impl Iterator<Item = Self> {
        Partition::all().map(Self::Presence)
    }

    /// The partition of its channel.
    pub(crate) fn partition(&self) -> Partition {
        match self {
            Self::User(user) => Partition::of(user),
            Self::Room(room) => Partition::of_text(room.as_str()),
            Self::Everyone => Partition::FIRST,
            Self::Presence(partition) => *partition,
        }
    }
}
