//! The connections of this daemon by room.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::UserId;
use chatpush_wire::limit::ROOM_USERS;
use chatpush_wire::room::Room;

use super::outbox::Outbox;
use super::{Hub, Outgoing};

/// Which connections are in which room.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<HashMap<Room, Members>>);

/// The connections in a room by the address of their outbox, so that one leaves as fast from a large room as
/// from a small one.
type Members = HashMap<usize, (UserId, Arc<Outbox>)>;

impl Rooms {
    /// Queues a frame for every connection in the room. A connection whose outbox is full is closed as too slow.
    pub(super) fn deliver(&self, room: &Room, outgoing: &Outgoing) {
        for (_, outbox) in self.rooms().get(room).into_iter().flat_map(HashMap::values) {
            outbox.push(outgoing);
        }
    }

    /// Whether a connection is in the room.
    pub(super) fn has(&self, room: &Room) -> bool {
        self.rooms().contains_key(room)
    }

    /// Every room with a connection.
    pub(super) fn names(&self) -> Vec<Room> {
        self.rooms().keys().cloned().collect()
    }

    /// Who is in the room, each user once, at most [`ROOM_USERS`].
    pub(super) fn users(&self, room: &Room) -> Vec<UserId> {
        let rooms = self.rooms();
        let mut known = HashSet::new();
        let users = rooms.get(room).into_iter().flat_map(HashMap::values).map(|(user, _)| user);
        users.filter(|user| known.insert(UserId::clone(user))).take(ROOM_USERS).cloned().collect()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Room, Members>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms that one connection is in. Dropping it leaves them.
#[derive(Debug)]
pub(crate) struct Membership {
    hub: Arc<Hub>,
    user: UserId,
    outbox: Arc<Outbox>,
    rooms: Vec<Room>,
}

impl Membership {
    /// A connection that is in no room.
    pub(super) fn new(hub: Arc<Hub>, user: UserId, outbox: Arc<Outbox>) -> Self {
        Self { hub, user, outbox, rooms: Vec::new() }
    }

    /// Enters and leaves rooms, so that the connection is in these alone. Returns those that it has left.
    pub(crate) fn change(&mut self, rooms: Vec<Room>) -> Vec<Room> {
        let mut all = self.hub.rooms.rooms();
        for room in &rooms {
            let member = (self.user.clone(), self.outbox.clone());
            all.entry(room.clone()).or_default().insert(address(&self.outbox), member);
        }
        let stays: HashSet<_> = rooms.iter().collect();
        let left: Vec<_> = self.rooms.iter().filter(|room| !stays.contains(room)).cloned().collect();
        for room in &left {
            if let Some(members) = all.get_mut(room) {
                members.remove(&address(&self.outbox));
                if members.is_empty() {
                    all.remove(room);
                }
            }
        }
        drop(all);
        self.rooms = rooms;
        left
    }

    /// The rooms that the connection is in.
    pub(crate) fn rooms(&self) -> &[Room] {
        &self.rooms
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.change(Vec::new());
    }
}

fn address(outbox: &Arc<Outbox>) -> usize {
    Arc::as_ptr(outbox).addr()
}

#[cfg(test)]
mod tests {
    use super::super::{Bounds, Format, Hub, Sendable};
    use super::*;

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn room(name: &str) -> Room {
        Room::try_from(name).unwrap()
    }

    fn received(registration: &super::super::Registration) -> usize {
        registration.take(Sendable::Everything, 0).unwrap().len()
    }

    #[test]
    fn frames_reach_the_connections_in_the_room_only() {
        let hub = Arc::new(Hub::new(Bounds { frames: 8, bytes: 1_000, total: 10_000 }));
        let connections = [1, 1, 2].map(|id| hub.register(user(id), Format::Json, 9).unwrap());
        let [mut first, mut second, mut third] = [0, 1, 2].map(|at| connections[at].membership());
        first.change(vec![room("a"), room("b")]);
        second.change(vec![room("a")]);
        third.change(vec![room("b")]);
        hub.deliver_to_room(&room("a"), &Outgoing::new("x".into(), None));
        assert_eq!([0, 1, 2].map(|at| received(&connections[at])), [1, 1, 0]);
        assert_eq!(hub.room_users(&room("a")), [user(1)]);
        assert_eq!(hub.room_users(&room("b")).len(), 2);
        assert!(hub.room_users(&room("c")).is_empty());
    }

    #[test]
    fn a_room_stays_until_the_last_connection_has_left() {
        let hub = Arc::new(Hub::new(Bounds { frames: 8, bytes: 1_000, total: 10_000 }));
        let connections = [1, 2].map(|id| hub.register(user(id), Format::Json, 9).unwrap());
        let [mut first, mut second] = [0, 1].map(|at| connections[at].membership());
        first.change(vec![room("a"), room("b")]);
        second.change(vec![room("a")]);
        // What stays is never left, not even for a moment.
        assert_eq!(first.change(vec![room("a"), room("c")]), [room("b")]);
        assert_eq!(first.rooms(), [room("a"), room("c")]);
        assert!(!hub.rooms.has(&room("b")));
        drop(first);
        assert!(hub.rooms.has(&room("a")) && !hub.rooms.has(&room("c")));
        drop(second);
        assert!(hub.rooms.names().is_empty());
    }
}
