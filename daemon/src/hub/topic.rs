//! What this daemon is subscribed to on behalf of its connections.

use chatpush_wire::id::UserId;
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
    /// Announcements of who connects and disconnects: while a connection here watches others.
    Presence,
}
