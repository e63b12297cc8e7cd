//! Who is connected: users, their connections, and a bounded outbox for each. No I/O happens here, and no
//! lock is held longer than a look-up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;
use tokio::sync::{Notify, mpsc};

/// Frames that may wait for one connection. One more, and the client is too slow to keep.
pub const OUTBOX: usize = 512;

/// A frame on its way to one connection. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What the client is sent.
    pub frame: Utf8Bytes,
    /// The message's id, if it is kept until the client confirms it.
    pub tracked: Option<Arc<MessageId>>,
}

/// All connections of this daemon.
#[derive(Debug)]
pub struct Hub {
    /// A lock per partition, so that users do not queue for one. A plain mutex, since nothing awaits
    /// while holding it.
    users: Vec<Mutex<HashMap<UserId, Vec<Member>>>>,
    connections: AtomicUsize,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Member {
    number: u64,
    outbox: mpsc::Sender<Outgoing>,
    overflow: Arc<Notify>,
    dismissed: Arc<Notify>,
    /// Whether a frame was lost to it. Nothing may follow that one, or messages would change places.
    overflowed: bool,
}

/// One connection's place in the hub. Dropping it gives the place up.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    user: UserId,
    number: u64,
    /// Frames for this connection, in order.
    pub inbox: mpsc::Receiver<Outgoing>,
    /// Rings when a frame found the outbox full.
    pub overflow: Arc<Notify>,
    /// Rings when the application wants the user gone.
    pub dismissed: Arc<Notify>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            users: Partition::all().map(|_| Mutex::default()).collect(),
            connections: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
        }
    }
}

impl Hub {
    /// Takes a place for one more connection of `user`.
    pub fn join(self: &Arc<Self>, user: UserId) -> Seat {
        let (outbox, inbox) = mpsc::channel(OUTBOX);
        let (overflow, dismissed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let member = Member {
            number,
            outbox,
            overflow: overflow.clone(),
            dismissed: dismissed.clone(),
            overflowed: false,
        };
        self.users(user).entry(user).or_default().push(member);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Seat { hub: self.clone(), user, number, inbox, overflow, dismissed }
    }

    /// Hands a frame to every connection of `user`, in the order of the calls. A connection without room
    /// gets its overflow rung instead: the frame is lost to it and it has to be closed.
    pub fn deliver(&self, user: UserId, outgoing: &Outgoing) {
        if let Some(members) = self.users(user).get_mut(&user) {
            for member in members.iter_mut().filter(|member| !member.overflowed) {
                if member.outbox.try_send(outgoing.clone()).is_err() {
                    member.overflowed = true;
                    member.overflow.notify_one();
                }
            }
        }
    }

    /// Asks every connection of `user` to close.
    pub fn dismiss(&self, user: UserId) {
        for member in self.users(user).get(&user).into_iter().flatten() {
            member.dismissed.notify_one();
        }
    }

    /// Whether this daemon holds a connection of `user`.
    pub fn holds(&self, user: UserId) -> bool {
        self.users(user).contains_key(&user)
    }

    /// Every user with a connection here.
    pub fn held(&self) -> Vec<UserId> {
        let users = self.users.iter().map(|users| users.lock().unwrap_or_else(PoisonError::into_inner));
        users.flat_map(|users| users.keys().copied().collect::<Vec<_>>()).collect()
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn users(&self, user: UserId) -> MutexGuard<'_, HashMap<UserId, Vec<Member>>> {
        // There is a lock for every partition. A poisoned one guards a map that is whole all the same:
        // nothing above panics between two changes.
        self.users[usize::from(Partition::of(user).number())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whose connection it is.
    pub const fn user(&self) -> UserId {
        self.user
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.hub.users(self.user);
        if let Some(members) = users.get_mut(&self.user) {
            members.retain(|member| member.number != self.number);
            if members.is_empty() {
                users.remove(&self.user);
            }
        }
        self.hub.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn frame(text: &'static str) -> Outgoing {
        Outgoing { frame: Utf8Bytes::from_static(text), tracked: None }
    }

    #[test]
    fn every_device_of_the_user_gets_the_frame_and_nobody_else() {
        let hub = Arc::new(Hub::default());
        let (mut phone, mut laptop, mut other) = (hub.join(user(1)), hub.join(user(1)), hub.join(user(2)));
        hub.deliver(user(1), &frame("a"));
        assert_eq!(phone.inbox.try_recv().unwrap().frame.as_str(), "a");
        assert_eq!(laptop.inbox.try_recv().unwrap().frame.as_str(), "a");
        assert!(other.inbox.try_recv().is_err());
    }

    #[test]
    fn a_user_is_held_until_the_last_connection_goes() {
        let hub = Arc::new(Hub::default());
        let (first, second) = (hub.join(user(1)), hub.join(user(1)));
        drop(first);
        assert!(hub.holds(user(1)) && hub.held() == [user(1)]);
        drop(second);
        assert!(!hub.holds(user(1)) && hub.held().is_empty() && hub.connections() == 0);
    }

    #[tokio::test]
    async fn a_full_outbox_rings_and_harms_no_other() {
        let hub = Arc::new(Hub::default());
        let (mut slow, mut quick) = (hub.join(user(1)), hub.join(user(1)));
        for _ in 0..=OUTBOX {
            hub.deliver(user(1), &frame("x"));
            assert!(quick.inbox.try_recv().is_ok());
        }
        slow.overflow.notified().await;
        let mut taken = 0;
        while slow.inbox.try_recv().is_ok() {
            taken += 1;
        }
        hub.deliver(user(1), &frame("y"));
        assert_eq!((taken, slow.inbox.try_recv().is_err()), (OUTBOX, true), "nothing follows a lost frame");
    }
}
