//! Clears of conversations that clients ask for (`{"read":{"conversation":"…"}}`). Each is appended at once,
//! since what comes behind it in the log was not read. A user has few of them under way, so that a flood holds
//! up nobody else in the partition.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::CONVERSATIONS;
use chatpush_wire::id::UserId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::waiting::Waiting;
use crate::barrier::Barrier;

/// Most clears of one user that are under way. Beyond it, they are dropped: the conversations stay unread.
const CLEARS_PER_USER: usize = 64;

/// The same of all users of this daemon.
const CLEARS: usize = 16_384;

/// A clear is under way until it is applied, and at least so long.
const INTERVAL: Duration = Duration::from_secs(1);

/// The clears of all users of this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct ConversationClears(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    barrier: Barrier,
    queue: mpsc::Sender<Waiting>,
    stop: CancellationToken,
    /// The newest generation of log entries that may be written.
    generation: Arc<AtomicU32>,
    /// A plain mutex: nothing awaits while holding it.
    under_way: Mutex<UnderWay>,
}

/// How many clears are under way.
#[derive(Debug, Default)]
struct UnderWay {
    total: usize,
    by_user: HashMap<UserId, usize>,
}

impl UnderWay {
    /// Counts one more. False if there are too many.
    fn begin(&mut self, user: &UserId) -> bool {
        let own = self.by_user.get(user).copied().unwrap_or(0);
        if own >= CLEARS_PER_USER || self.total >= CLEARS {
            return false;
        }
        self.total += 1;
        self.by_user.insert(user.clone(), own + 1);
        true
    }

    /// Counts one less.
    fn end(&mut self, user: &UserId) {
        self.total = self.total.saturating_sub(1);
        match self.by_user.get_mut(user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.by_user.remove(user)),
        }
    }
}

impl ConversationClears {
    /// Clears that are appended through `queue`. After `stop` they wait for nothing.
    pub(super) fn new(
        barrier: Barrier,
        queue: mpsc::Sender<Waiting>,
        stop: CancellationToken,
        generation: Arc<AtomicU32>,
    ) -> Self {
        Self(Arc::new(Shared { barrier, queue, stop, generation, under_way: Mutex::default() }))
    }

    /// Clears what a conversation has counted for `user` until now.
    pub(super) fn request(&self, user: UserId, conversation: Conversation) {
        if self.0.generation.load(Ordering::Relaxed) < CONVERSATIONS {
            tracing::debug!(%user, "clear dropped: a chatpushd of an older version is running, which cannot read it");
            return;
        }
        if self.under_way().begin(&user) {
            tokio::spawn(self.clone().run(user, conversation));
        } else {
            tracing::warn!(%user, "clear dropped: too many are under way. The conversation stays unread");
        }
    }

    async fn run(self, user: UserId, conversation: Conversation) {
        let Shared { barrier, queue, stop, .. } = &*self.0;
        let (sender, appended) = oneshot::channel();
        if queue.send(Waiting::Clear(user.clone(), Some(conversation), sender)).await.is_ok() {
            let appended = appended.await.ok();
            _ = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
            if let Some(position) = appended {
                _ = stop.run_until_cancelled(barrier.wait(&user, position)).await;
            }
        }
        self.under_way().end(&user);
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_bounded_number_under_way() {
        let [one, other] = [1, 2].map(|id| UserId::try_from(id).unwrap());
        let mut under_way = UnderWay::default();
        let begun = |under_way: &mut UnderWay, user| (0..200).filter(|_| under_way.begin(user)).count();
        assert_eq!(begun(&mut under_way, &one), CLEARS_PER_USER);
        under_way.end(&one);
        assert_eq!((begun(&mut under_way, &one), begun(&mut under_way, &other)), (1, CLEARS_PER_USER));
        for user in [&one, &other] {
            (0..CLEARS_PER_USER).for_each(|_| under_way.end(user));
        }
        assert_eq!((under_way.total, under_way.by_user.len()), (0, 0));
    }
}
