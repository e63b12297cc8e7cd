//! Who watches whom: the peers whose presence connections of this daemon are told.
//!
//! A peer is stored once, however many connections watch it. A connection has a list of small numbers that
//! stand for its peers, and a bit for each: what it was told last. So a change is not an event that must not
//! be lost: what a connection is sent is the difference between what is known and what it was told.

mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use self::table::Table;
use super::Hub;
use super::outbox::Outbox;

/// The least time between two presence frames of a connection.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Connections that are sent frames, or answers that are taken, before others have a turn. Thousands of frames at
/// once would make live messages wait for tens of milliseconds.
const AT_ONCE: usize = 64;

/// The watched peers and their watchers.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// A plain mutex: nothing awaits while holding it.
    table: Mutex<Table>,
    changed: Notify,
}

impl Watching {
    /// Whether anybody watches anybody.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.table().is_empty()
    }

    /// Returns once there may be peers to ask about, or connections to tell.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The state of these users may have changed.
    pub(crate) fn note(&self, users: impl Iterator<Item = UserId>) {
        let mut table = self.table();
        users.for_each(|user| table.doubt(&user));
        drop(table);
        self.changed.notify_one();
    }

    /// The state of every user of these partitions may have changed.
    pub(crate) fn note_partitions(&self, partitions: impl Iterator<Item = Partition>) {
        let mut table = self.table();
        let peers: usize = partitions.map(|partition| table.doubt_partition(partition)).sum();
        drop(table);
        tracing::debug!(peers, "asking about whole partitions");
        self.changed.notify_one();
    }

    /// Takes the peers that are to be asked about, at most so many.
    pub(crate) fn take_questions(&self, most: usize) -> Vec<UserId> {
        self.table().take_doubted(most)
    }

    /// What Redis has answered.
    pub(crate) async fn answer(&self, answers: &[(UserId, bool)]) {
        for answers in answers.chunks(AT_ONCE) {
            self.table().learn_all(answers);
            yield_now().await;
        }
    }

    /// Sends connections what has changed since they were told, each at most once a second. Returns when
    /// there will be more to send.
    pub(crate) async fn flush(&self) -> Option<Instant> {
        let waiting = self.table().take_due();
        let mut next: Option<Instant> = None;
        for keys in waiting.chunks(AT_ONCE) {
            next = self.table().flush_all(keys, Instant::now()).into_iter().chain(next).min();
            yield_now().await;
        }
        next
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The peers of one connection. Dropping it forgets them.
#[derive(Debug)]
pub(crate) struct Watch {
    hub: Arc<Hub>,
    key: usize,
}

impl Watch {
    /// Peers that the connection will watch once [`Watch::begin`] is called. It is told nothing before
    /// `not_before`.
    pub(super) fn new(
        hub: Arc<Hub>,
        outbox: Arc<Outbox>,
        peers: Vec<UserId>,
        not_before: Option<Instant>,
    ) -> Self {
        let key = hub.watching.table().insert(outbox, peers, not_before);
        Self { hub, key }
    }

    /// When the connection may be told something again.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.hub.watching.table().not_before(self.key)
    }

    /// Whether `user` is a peer of this connection.
    pub(crate) fn has(&self, user: &UserId) -> bool {
        self.hub.watching.table().is_peer(self.key, user)
    }

    /// Begins to tell the connection of its peers. From now on announcements must arrive.
    pub(crate) fn begin(&self) {
        self.hub.watching.table().begin(self.key);
        self.hub.watching.changed.notify_one();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.hub.watching.table().remove(self.key);
    }
}
