//! The connections of this daemon, by user, each with a bounded outbox. No I/O happens here, and locks are
//! held only to look something up or change it.
//!
//! # Layout
//!
//! - `arrivals`: whether a message has arrived since a certain moment.
//! - `outbox`: the queue between the hub and one session.
//! - `outgoing`: a frame in it.
//! - `page`: stored messages on their way to a client.
//! - `registration`: a connection, as its session has it.
//! - `rooms`: the connections by room.
//! - `sender`: a way to one connection for what its session has started.
//! - `topic`: what the daemon is subscribed to for them.
//! - `watching`: whose presence they are told.
//! - `close_code`: the close codes.
//! - `drain`: closes all connections when the daemon stops.

mod arrivals;
pub(crate) mod close_code;
pub(crate) mod drain;
mod outbox;
mod outgoing;
mod page;
mod registration;
mod rooms;
mod sender;
mod topic;
pub(crate) mod watching;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::{Partition, Partitions};
use chatpush_wire::room::Room;

use self::arrivals::Arrivals;
pub use self::outbox::{Bounds, Sendable, Written};
use self::outbox::{GUARANTEED_BYTES, Outbox};
pub use self::outgoing::{Format, Outgoing};
pub use self::page::Page;
pub use self::registration::Registration;
pub(crate) use self::rooms::Membership;
use self::rooms::Rooms;
pub(crate) use self::sender::Sender;
pub(crate) use self::topic::Topic;
use self::watching::Watching;
use crate::hub::close_code::Close;

/// All connections of this daemon.
#[derive(Debug)]
pub struct Hub {
    bounds: Bounds,
    /// One lock for each partition instead of one for all users. Plain mutexes: nothing awaits while holding
    /// them.
    users: Vec<Mutex<HashMap<UserId, Vec<Arc<Outbox>>>>>,
    rooms: Rooms,
    watching: Watching,
    connections: AtomicUsize,
    /// Bytes queued in all outboxes and pages.
    queued_bytes: Arc<AtomicUsize>,
    /// Of each partition.
    epochs: [AtomicU64; Partition::COUNT as usize],
    arrivals: Arrivals,
}

/// How often the subscriptions of a partition have been made. A new epoch means that pushes may have been missed, so
/// every session of its users replays as if its client had just connected.
pub type Epoch = u64;

impl Hub {
    /// An empty hub whose outboxes have these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            users: Partition::all().map(|_| Mutex::default()).collect(),
            rooms: Rooms::default(),
            watching: Watching::default(),
            connections: AtomicUsize::new(0),
            queued_bytes: Arc::default(),
            epochs: std::array::from_fn(|_| AtomicU64::new(0)),
            arrivals: Arrivals::default(),
        }
    }

    /// Registers one more connection of `user`; `None` if the user already has `limit` connections.
    pub fn register(self: &Arc<Self>, user: UserId, format: Format, limit: usize) -> Option<Registration> {
        let outbox = Arc::new(Outbox::new(format, self.bounds, self.queued_bytes.clone()));
        let mut users = self.partition(&user);
        let members = users.entry(user.clone()).or_default();
        if members.len() >= limit {
            return None;
        }
        // Most users have one connection; a vector's first growth would allocate room for four.
        members.reserve_exact(1);
        members.push(outbox.clone());
        drop(users);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Some(Registration::new(self.clone(), user, outbox))
    }

    /// Queues a JSON frame for every connection of `user`, in the order of the calls. A connection whose
    /// outbox is full is closed as too slow.
    pub fn deliver(&self, user: &UserId, outgoing: &Outgoing) {
        let has_others = self.queue(user, Format::Json, outgoing);
        if has_others {
            self.queue(user, Format::Content, &outgoing.for_content());
        }
    }

    /// Queues a JSON frame for every connection in the room, as [`Hub::deliver`] does.
    pub fn deliver_to_room(&self, room: &Room, outgoing: &Outgoing) {
        self.rooms.deliver(room, outgoing);
    }

    /// Queues a JSON frame for every connection, as [`Hub::deliver`] does.
    pub fn deliver_to_everyone(&self, outgoing: &Outgoing) {
        let for_content = outgoing.for_content();
        for users in &self.users {
            let users = users.lock().unwrap_or_else(PoisonError::into_inner);
            for outbox in users.values().flatten() {
                match outbox.format() {
                    Format::Json => outbox.push(outgoing),
                    Format::Content => outbox.push(&for_content),
                }
            }
        }
    }

    /// Queues a frame that may be lost for the connections of `user` that know client events. Returns how
    /// many have too much queued and do not get it.
    pub fn offer(&self, user: &UserId, outgoing: &Outgoing) -> usize {
        let users = self.partition(user);
        let knowing = users.get(user).into_iter().flatten().filter(|outbox| outbox.knows_events());
        knowing.filter(|outbox| !outbox.offer(outgoing)).count()
    }

    /// Takes messages back that wait for the connections of `user`, and queues the frame that says so for
    /// those that know it.
    pub fn recall(&self, user: &UserId, ids: &[MessageId], outgoing: &Outgoing) {
        for outbox in self.partition(user).get(user).into_iter().flatten() {
            outbox.remove(ids);
            if outbox.knows_events() {
                outbox.push(outgoing);
            }
        }
    }

    /// Who has a connection here in the room, each user once.
    pub fn room_users(&self, room: &Room) -> Vec<UserId> {
        self.rooms.users(room)
    }

    /// Whether connections here wait for what is published on the topic.
    pub(crate) fn wants(&self, topic: &Topic) -> bool {
        match topic {
            Topic::User(user) => self.has(user),
            Topic::Room(room) => self.rooms.has(room),
            Topic::Everyone => self.connections() > 0,
            Topic::Presence(_) => self.watching.is_wanted(),
        }
    }

    /// Every topic in these partitions that connections here wait for.
    pub(crate) fn topics(&self, partitions: Partitions) -> Vec<Topic> {
        let users = self.users().into_iter().map(Topic::User);
        let rooms = self.rooms.names().into_iter().map(Topic::Room);
        let shared = std::iter::once(Topic::Everyone).chain(Topic::presence());
        let shared = shared.filter(|topic| self.wants(topic));
        let is_there = |topic: &Topic| partitions.contains(topic.partition());
        users.chain(rooms).chain(shared).filter(is_there).collect()
    }

    /// Queues a frame for the connections of `user` with this format. Returns whether there are others.
    fn queue(&self, user: &UserId, format: Format, outgoing: &Outgoing) -> bool {
        let mut has_others = false;
        for outbox in self.partition(user).get(user).into_iter().flatten() {
            if outbox.format() == format {
                outbox.push(outgoing);
            } else {
                has_others = true;
            }
        }
        has_others
    }

    /// Closes every connection of `user`. Before `Close::Restart` and `Close::Disconnected` each is sent what is
    /// queued.
    pub fn close_connections(&self, user: &UserId, close: Close) {
        for outbox in self.partition(user).get(user).into_iter().flatten() {
            outbox.end(close);
        }
    }

    /// Who watches whom.
    pub(crate) fn watching(&self) -> &Watching {
        &self.watching
    }

    /// Whether stored messages have arrived.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Begins a new epoch in these partitions. Every connection of their users learns of it before it can take a frame
    /// that is delivered later.
    pub fn begin_epoch(&self, partitions: Partitions) {
        for partition in partitions.iter() {
            if let Some(epoch) = self.epochs.get(usize::from(partition.number())) {
                epoch.fetch_add(1, Ordering::SeqCst);
            }
            let users = self.users_of(partition);
            users.values().flatten().for_each(|outbox| outbox.wake());
        }
    }

    /// The epoch of a partition; 0 until the first subscription.
    pub fn epoch(&self, partition: Partition) -> Epoch {
        self.epochs.get(usize::from(partition.number())).map_or(0, |epoch| epoch.load(Ordering::SeqCst))
    }

    /// Whether this daemon holds a connection of `user`.
    pub fn has(&self, user: &UserId) -> bool {
        self.partition(user).contains_key(user)
    }

    /// How many connections of `user` this daemon holds.
    pub fn connections_of(&self, user: &UserId) -> usize {
        self.partition(user).get(user).map_or(0, Vec::len)
    }

    /// Every user with a connection here.
    pub fn users(&self) -> Vec<UserId> {
        let users = self.users.iter().map(|users| users.lock().unwrap_or_else(PoisonError::into_inner));
        users.flat_map(|users| users.keys().cloned().collect::<Vec<_>>()).collect()
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A page of stored messages, which counts as queued for clients until it is dropped.
    pub fn page(&self, frames: Vec<Outgoing>) -> Page {
        Page::new(frames, self.queued_bytes.clone())
    }

    /// How many bytes of stored messages to read for one page: `wanted`, or half of what a connection may
    /// always have queued if pages and outboxes fill half of their bound. A connection has two pages at most.
    pub fn page_bytes(&self, wanted: usize) -> usize {
        let has_room = self.queued_bytes() + wanted <= self.bounds.total / 2;
        if has_room { wanted } else { wanted.min(GUARANTEED_BYTES / 2) }
    }

    /// How many bytes are queued for clients.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    fn partition(&self, user: &UserId) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Outbox>>>> {
        self.users_of(Partition::of(user))
    }

    fn users_of(&self, partition: Partition) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Outbox>>>> {
        // There is a lock for every partition. The map behind a poisoned lock is still consistent: nothing
        // above panics between two changes.
        self.users[usize::from(partition.number())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
