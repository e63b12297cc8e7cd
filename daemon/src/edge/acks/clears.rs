//! Clears of unread counters that clients ask for (`{"read":true}`). A flood of them would hold up everybody
//! in the partition. So a user has no second clear in the log before the first is applied, unless a message
//! came in between, and few in a second.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::waiting::Waiting;
use crate::barrier::Barrier;
use crate::hub::{Epoch, Hub};
use crate::log::position::Position;

/// The least time between two clears of one user without a message in between.
const INTERVAL: Duration = Duration::from_millis(250);

/// Users whose last clear is remembered. Beyond it, those are forgotten whose clear is not under way, and then
/// clears are dropped.
const USERS: usize = 65_536;

/// The clears of all users of this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Clears(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    barrier: Barrier,
    hub: Arc<Hub>,
    queue: mpsc::Sender<Waiting>,
    stop: CancellationToken,
    /// A plain mutex: nothing awaits while holding it.
    users: Mutex<HashMap<UserId, LastClear>>,
}

/// The last clear of a user.
#[derive(Clone, Copy, Debug)]
struct LastClear {
    /// What had arrived when it was asked for. If something has arrived since, it does not do for another
    /// request, because the message stands behind it in the log.
    arrived: Arrived,
    phase: Phase,
}

/// Stored messages that have arrived for a user. In a new epoch, some may have been missed.
type Arrived = (Epoch, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A task appends it or waits. Whether it was asked for again since it was appended.
    Active { again: bool },
    /// It is here in the log.
    Appended(Position),
}

impl Clears {
    /// Clears that are appended through `queue`. After `stop` they do not wait for those before them.
    pub(super) fn new(
        barrier: Barrier,
        hub: Arc<Hub>,
        queue: mpsc::Sender<Waiting>,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared { barrier, hub, queue, stop, users: Mutex::default() }))
    }

    /// Clears what was counted for `user` until now.
    pub(super) fn request(&self, user: UserId) {
        let arrived = self.arrived(&user);
        let mut users = self.users();
        if users.len() >= USERS && !users.contains_key(&user) {
            self.forget_some(&mut users);
            if users.len() >= USERS {
                tracing::warn!(%user, "clear dropped: too many wait for MySQL. The unread counter stays");
                return;
            }
        }
        let last = match users.entry(user.clone()) {
            Entry::Occupied(mut entry) if entry.get().arrived == arrived => {
                match &mut entry.get_mut().phase {
                    // The clear that is under way does for this request too, if it is not applied yet.
                    Phase::Active { again } => {
                        *again = true;
                        return;
                    }
                    phase @ Phase::Appended(_) => {
                        let last = std::mem::replace(phase, Phase::Active { again: true });
                        if let Phase::Appended(position) = last { Some(position) } else { None }
                    }
                }
            }
            entry => {
                entry.insert_entry(LastClear { arrived, phase: Phase::Active { again: false } });
                None
            }
        };
        drop(users);
        tokio::spawn(self.clone().run(user, arrived, last));
    }

    /// Appends a clear, and another one as long as that was asked for meanwhile. If there is one already, that
    /// is applied first.
    async fn run(self, user: UserId, arrived: Arrived, mut last: Option<Position>) {
        let Shared { barrier, queue, stop, .. } = &*self.0;
        loop {
            if let Some(position) = last {
                _ = stop.run_until_cancelled(barrier.wait(&user, position)).await;
                // What has arrived since the request is not to be cleared by it.
                let is_due = |last: &mut LastClear| {
                    let again = last.phase == Phase::Active { again: true };
                    let due = again && self.arrived(&user) == arrived;
                    last.phase = if due { Phase::Active { again: false } } else { Phase::Appended(position) };
                    due
                };
                if self.update(&user, arrived, is_due) != Some(true) {
                    return;
                }
            }
            let (sender, appended) = oneshot::channel();
            if queue.send(Waiting::Clear(user.clone(), None, sender)).await.is_err() {
                return;
            }
            let appended = appended.await.ok();
            _ = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
            let Some(position) = appended else {
                // Whether it is in the log is not known, so the next request is not compared with it.
                return self.forget(&user, arrived);
            };
            let ended = |clear: &mut LastClear| {
                let again = clear.phase == Phase::Active { again: true };
                if !again {
                    clear.phase = Phase::Appended(position);
                }
                !again
            };
            if self.update(&user, arrived, ended) != Some(false) {
                return;
            }
            last = Some(position);
        }
    }

    /// Changes a user's last clear, unless another one has replaced it because something has arrived.
    fn update<T>(
        &self,
        user: &UserId,
        arrived: Arrived,
        change: impl FnOnce(&mut LastClear) -> T,
    ) -> Option<T> {
        self.users().get_mut(user).filter(|last| last.arrived == arrived).map(change)
    }

    fn forget(&self, user: &UserId, arrived: Arrived) {
        let mut users = self.users();
        if users.get(user).is_some_and(|last| last.arrived == arrived) {
            users.remove(user);
            self.0.hub.arrivals().forget(user);
        }
    }

    fn arrived(&self, user: &UserId) -> Arrived {
        (self.0.hub.epoch(Partition::of(user)), self.0.hub.arrivals().watch(user))
    }

    fn forget_some(&self, users: &mut HashMap<UserId, LastClear>) {
        users.retain(|user, last| {
            let active = matches!(last.phase, Phase::Active { .. });
            if !active {
                self.0.hub.arrivals().forget(user);
            }
            active
        });
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, LastClear>> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
