//! The barrier: a query or replay of a user waits until MySQL holds everything that was accepted for that user
//! before it.
//!
//! The caller names the last id of the partition's log at that moment, `b`. Usually the whole log is applied
//! up to `b` within milliseconds, and nothing more is read. If it is not, because a row of somebody is locked
//! or MySQL is away, the wait is for the receiver's own entries alone: [`Receivers`] says which entry is the
//! last one that names them. Entries of every kind count: without a confirmation or a clear that was accepted
//! before, a message would be shown again, or counted again.
//!
//! # Why no entry is missed
//!
//! Take an entry `e` of the user that was in the log when the caller read `b`, so `e <= b`. The log is read in
//! the order of its ids, from a position that MySQL has reached, until `b` is passed or the log ends. It is
//! append-only with growing ids, and only applied entries are trimmed. So `e` is applied, or it has been read.
//! If it has been read, the last entry that counts as the user's is `e` or a later one, and the wait ends once
//! the position has reached the smaller of that one and `b`, neither of which is before `e`. An entry that
//! cannot be read counts as everybody's.
//!
//! A Redis that was restarted may have lost the end of its log and, if its clock went back too, give ids again
//! that were read before. So what was read holds only for the connection it was read over. Each wait reads at
//! least once after it began: over another connection, everything is read again.
//!
//! What is accepted after `b` reaches a replay over the subscription, which it had before it read `b`.
//!
//! # Why the server that is read from has it too
//!
//! A position that was reached is remembered. The server that is read from next may be behind it: it has lost its
//! last commits in a crash, because it is not durable, or it is another node of a cluster. So the wait returns a
//! position, each read compares it with that of the server it reads from ([`crate::store::rows`]), and a read
//! from a server that is behind is repeated after another wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::broker::commands::ConnectionNumber;
use crate::broker::{BrokerError, log};
use crate::log::position::Position;
use crate::log::receivers::Receivers;
use crate::services::Services;

/// How long a daemon that is not the writer waits before it first asks MySQL, and the least time between two
/// questions of all its tasks.
const INITIAL_INTERVAL: Duration = Duration::from_millis(2);

/// The longest interval between two questions of one task.
const MAX_INTERVAL: Duration = Duration::from_millis(100);

/// How long the whole log may take before the receiver's entries are looked for.
const LOG_TIMEOUT: Duration = Duration::from_millis(25);

/// How long after a read from a server that is behind the next one may begin.
const BEHIND_INTERVAL: Duration = Duration::from_millis(10);

/// How long what was read of a log is kept when nobody needs it.
const UNUSED_TIMEOUT: Duration = Duration::from_secs(60);

/// The barrier of this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Barrier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    services: Arc<Services>,
    /// One for each partition.
    logs: Vec<Log>,
}

/// What is known of one partition's log.
#[derive(Debug, Default)]
struct Log {
    /// How many reads have begun.
    begun: AtomicU64,
    /// None while nobody needs it. The lock is held while reading: one task reads for all that wait.
    known: Mutex<Option<KnownLog>>,
}

#[derive(Debug)]
struct KnownLog {
    receivers: Receivers,
    /// The connection it was read over.
    connection: ConnectionNumber,
    /// The number of the last read.
    last_read: u64,
    used: Instant,
}

impl Barrier {
    /// A barrier for these services.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self(Arc::new(Shared { services, logs: Partition::all().map(|_| Log::default()).collect() }))
    }

    /// Returns once everything for `user` up to `end` in the partition's log is applied to MySQL. While MySQL
    /// or Redis is away the wait goes on; the caller has the deadline.
    ///
    /// Returns the position that a server must have reached to hold it.
    pub(crate) async fn wait(&self, user: &UserId, end: Position) -> Position {
        let partition = Partition::of(user);
        if self.0.services.store.is_none() || fault_injection::breaks(Promise::Barrier) {
            return Position::default();
        }
        if timeout(LOG_TIMEOUT, self.applied(partition, end)).await.is_ok() {
            return end;
        }
        tokio::select! {
            () = self.applied(partition, end) => end,
            own = async {
                let own = self.last_of(user, end).await.min(end);
                self.applied(partition, own).await;
                own
            } => own,
        }
    }

    /// Records that a server has reached only `found`, which was read from it after a wait. The next wait
    /// begins with that.
    pub(crate) async fn behind(&self, user: &UserId, found: Position) {
        self.0.services.positions.set_back(Partition::of(user), found);
        if let Some(store) = &self.0.services.store {
            store.distrust_idle_connections();
        }
        // A new connection may lead to a server that is not behind, so the next wait may be none.
        sleep(BEHIND_INTERVAL).await;
    }

    /// Returns once the partition's log is applied to MySQL up to `position`. The writer learns of its own
    /// commits at once. Other daemons ask MySQL for the positions, at growing intervals and once for all tasks
    /// that wait.
    async fn applied(&self, partition: Partition, position: Position) {
        let Services { positions, store: Some(store), .. } = &*self.0.services else { return };
        let mut interval = INITIAL_INTERVAL;
        while !positions.has_reached(partition, position) {
            if timeout(interval, positions.wait_for(partition, position)).await.is_ok() {
                return;
            }
            interval = (interval * 2).min(MAX_INTERVAL);
            if positions.claim_poll(INITIAL_INTERVAL)
                && let Ok(found) = store.positions().await
            {
                positions.advance_all(&found);
            }
        }
    }

    /// A position that every entry of the user up to `end` is not behind: that of the last one in the log, or the
    /// highest that a server has reached, since entries up to it may be gone from the log.
    async fn last_of(&self, user: &UserId, end: Position) -> Position {
        let partition = Partition::of(user);
        let positions = &self.0.services.positions;
        // There is one for each partition.
        let Some(log) = self.0.logs.get(usize::from(partition.number())) else { return end };
        let begun = log.begun.load(Ordering::SeqCst);
        let mut redis = Backoff::new("Redis (barrier)");
        loop {
            let mut known = log.known.lock().await;
            let read = self.read(partition, log, &mut known, begun, end).await;
            match (read, known.as_mut()) {
                (Ok(()), Some(known)) => {
                    known.used = Instant::now();
                    return known.receivers.last_of(user).max(positions.highest(partition));
                }
                (Ok(()), None) => return end,
                (Err(error), _) => {
                    drop(known);
                    redis.failed(&error).await;
                }
            }
        }
    }

    /// Reads the log up to `end`, in a read that began after `begun` reads had.
    async fn read(
        &self,
        partition: Partition,
        log: &Log,
        known: &mut Option<KnownLog>,
        begun: u64,
        end: Position,
    ) -> Result<(), BrokerError> {
        let Services { commands, prefix, positions, config, .. } = &*self.0.services;
        loop {
            let applied = positions.known(partition);
            if let Some(known) = known.as_mut() {
                known.receivers.applied(applied);
                if known.last_read > begun && known.receivers.read() >= end {
                    return Ok(());
                }
            }
            let last_read = log.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let after = known.as_ref().map_or(applied, |known| known.receivers.read());
            let slice = log::receivers(commands, (prefix, config.user_id_type), partition, after).await?;
            let known = match known {
                Some(known) if known.connection == slice.connection => known,
                Some(known) => {
                    *known = KnownLog::new(applied, slice.connection);
                    continue;
                }
                None => {
                    self.drop_when_unused(partition);
                    known.insert(KnownLog::new(after, slice.connection))
                }
            };
            known.last_read = last_read;
            for entry in &slice.entries {
                known.receivers.add(entry);
            }
            if !slice.has_more {
                return Ok(());
            }
        }
    }

    /// Drops what is known of a partition's log once nobody has needed it for [`UNUSED_TIMEOUT`].
    fn drop_when_unused(&self, partition: Partition) {
        let shared = self.0.clone();
        tokio::spawn(async move {
            let Some(log) = shared.logs.get(usize::from(partition.number())) else { return };
            loop {
                sleep(UNUSED_TIMEOUT).await;
                let mut known = log.known.lock().await;
                if known.as_ref().is_none_or(|known| known.used.elapsed() >= UNUSED_TIMEOUT) {
                    *known = None;
                    return;
                }
            }
        });
    }
}

impl KnownLog {
    fn new(applied: Position, connection: ConnectionNumber) -> Self {
        Self { receivers: Receivers::new(applied), connection, last_read: 0, used: Instant::now() }
    }
}
