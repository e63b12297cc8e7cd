//! Clears of conversations that clients ask for (`{"read":{"conversation":"…"}}`). Each is appended at once,
//! since what comes behind it in the log was not read. One that is under way does for another request, unless a
//! message came in between. A user has clears of few conversations under way, so that a flood holds up nobody
//! else in the partition.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::CONVERSATIONS;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::waiting::Waiting;
use crate::barrier::Barrier;
use crate::hub::{Epoch, Hub};

/// Most conversations of one user whose clears are under way. Beyond it, others are dropped: they stay unread.
const CONVERSATIONS_PER_USER: usize = 64;

/// The same of all users of this daemon.
const ALL_CONVERSATIONS: usize = 16_384;

/// A clear is under way until it is applied, and at least so long.
const INTERVAL: Duration = Duration::from_secs(1);

/// The clears of all users of this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct ConversationClears(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    barrier: Barrier,
    hub: Arc<Hub>,
    queue: mpsc::Sender<Waiting>,
    stop: CancellationToken,
    /// The newest generation of log entries that may be written.
    generation: Arc<AtomicU32>,
    /// A plain mutex: nothing awaits while holding it.
    under_way: Mutex<UnderWay>,
}

/// Stored messages that had arrived for a user when a clear was asked for. In a new epoch, some may have been
/// missed. If something has arrived since, the clear does not do for another request, because the message
/// stands behind it in the log.
type Arrived = (Epoch, u64);

/// What is done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// A clear is appended.
    Begun,
    /// The clear that is under way does for it.
    Covered,
    /// It is dropped.
    TooMany {
        /// Whether no clear of this user is under way, so that nobody else ends the watch.
        is_alone: bool,
    },
}

/// The last clear of each conversation, while it is under way.
#[derive(Debug, Default)]
struct UnderWay {
    total: usize,
    by_user: HashMap<UserId, HashMap<Conversation, LastClear>>,
}

#[derive(Clone, Copy, Debug)]
struct LastClear {
    arrived: Arrived,
    /// Whether it was asked for again.
    again: bool,
}

impl UnderWay {
    fn request(&mut self, user: &UserId, conversation: &Conversation, arrived: Arrived) -> Request {
        let own = self.by_user.entry(user.clone()).or_default();
        let is_full = own.len() >= CONVERSATIONS_PER_USER || self.total >= ALL_CONVERSATIONS;
        let new = LastClear { arrived, again: false };
        match own.entry(conversation.clone()) {
            Entry::Occupied(mut last) if last.get().arrived == arrived => {
                last.get_mut().again = true;
                Request::Covered
            }
            Entry::Occupied(mut last) => {
                last.insert(new);
                Request::Begun
            }
            Entry::Vacant(_) if is_full => {
                let is_alone = own.is_empty();
                if is_alone {
                    self.by_user.remove(user);
                }
                Request::TooMany { is_alone }
            }
            Entry::Vacant(place) => {
                place.insert(new);
                self.total += 1;
                Request::Begun
            }
        }
    }

    /// Whether a clear that could not be appended was asked for again.
    fn is_wanted(&mut self, user: &UserId, conversation: &Conversation, arrived: Arrived) -> bool {
        let last = self.by_user.get_mut(user).and_then(|own| own.get_mut(conversation));
        last.filter(|last| last.arrived == arrived).is_some_and(|last| std::mem::take(&mut last.again))
    }

    /// Ends a clear, unless another one has replaced it. True if none of this user is under way any more.
    fn end(&mut self, user: &UserId, conversation: &Conversation, arrived: Arrived) -> bool {
        let Some(own) = self.by_user.get_mut(user) else { return false };
        if own.get(conversation).is_some_and(|last| last.arrived == arrived) {
            own.remove(conversation);
            self.total = self.total.saturating_sub(1);
        }
        let ended = own.is_empty();
        if ended {
            self.by_user.remove(user);
        }
        ended
    }
}

impl ConversationClears {
    /// Clears that are appended through `queue`. After `stop` they wait for nothing.
    pub(super) fn new(
        barrier: Barrier,
        hub: Arc<Hub>,
        queue: mpsc::Sender<Waiting>,
        stop: CancellationToken,
        generation: Arc<AtomicU32>,
    ) -> Self {
        Self(Arc::new(Shared { barrier, hub, queue, stop, generation, under_way: Mutex::default() }))
    }

    /// Clears what a conversation has counted for `user` until now.
    pub(super) fn request(&self, user: UserId, conversation: Conversation) {
        if self.0.generation.load(Ordering::Relaxed) < CONVERSATIONS {
            tracing::debug!(%user, "clear dropped: a chatpushd of an older version is running, which cannot read it");
            return;
        }
        let mut under_way = self.under_way();
        let arrived = (self.0.hub.epoch(Partition::of(&user)), self.0.hub.arrivals().watch(&user));
        match under_way.request(&user, &conversation, arrived) {
            Request::Covered => {}
            Request::Begun => {
                tokio::spawn(self.clone().run(user, conversation, arrived));
            }
            Request::TooMany { is_alone } => {
                if is_alone {
                    self.0.hub.arrivals().forget(&user);
                }
                tracing::warn!(%user, "clear dropped: too many are under way. The conversation stays unread");
            }
        }
    }

    async fn run(self, user: UserId, conversation: Conversation, arrived: Arrived) {
        let Shared { barrier, hub, queue, stop, .. } = &*self.0;
        loop {
            let (sender, appended) = oneshot::channel();
            let clear = Waiting::Clear(user.clone(), Some(conversation.clone()), sender);
            let appended = if queue.send(clear).await.is_ok() { appended.await.ok() } else { None };
            _ = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
            if let Some(position) = appended {
                _ = stop.run_until_cancelled(barrier.wait(&user, position)).await;
                break;
            }
            // Whether it is in the log is not known. What has come since must not be cleared.
            let is_same = (hub.epoch(Partition::of(&user)), hub.arrivals().watch(&user)) == arrived;
            if stop.is_cancelled() || !is_same || !self.under_way().is_wanted(&user, &conversation, arrived) {
                break;
            }
        }
        let mut under_way = self.under_way();
        if under_way.end(&user, &conversation, arrived) {
            hub.arrivals().forget(&user);
        }
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(number: usize) -> Conversation {
        Conversation::try_from(number.to_string()).unwrap()
    }

    #[test]
    fn each_user_has_a_bounded_number_under_way() {
        let [one, other] = [1, 2].map(|id| UserId::try_from(id).unwrap());
        let arrived = (Epoch::default(), 1);
        let mut under_way = UnderWay::default();
        let begun = |under_way: &mut UnderWay, user| {
            let requests = (0..200).map(|number| under_way.request(user, &conversation(number), arrived));
            requests.filter(|request| *request == Request::Begun).count()
        };
        assert_eq!(begun(&mut under_way, &one), CONVERSATIONS_PER_USER);
        assert!(!under_way.end(&one, &conversation(7), arrived));
        assert_eq!((begun(&mut under_way, &one), begun(&mut under_way, &other)), (1, CONVERSATIONS_PER_USER));
        for user in [&one, &other] {
            let ended = (0..CONVERSATIONS_PER_USER)
                .filter(|number| under_way.end(user, &conversation(*number), arrived));
            assert_eq!(ended.count(), 1, "the last one");
        }
        assert_eq!((under_way.total, under_way.by_user.len()), (0, 0));
    }

    #[test]
    fn a_request_that_is_dropped_says_whether_others_of_the_user_are_under_way() {
        let arrived = (Epoch::default(), 1);
        let mut under_way = UnderWay::default();
        let mut request = |user: usize, number| {
            let user = UserId::try_from(i64::try_from(user).unwrap()).unwrap();
            under_way.request(&user, &conversation(number), arrived)
        };
        let users = ALL_CONVERSATIONS.div_ceil(CONVERSATIONS_PER_USER);
        for user in 1..=users {
            for number in 0..CONVERSATIONS_PER_USER {
                request(user, number);
            }
        }
        assert_eq!(request(users + 1, 0), Request::TooMany { is_alone: true });
        assert_eq!(request(1, CONVERSATIONS_PER_USER), Request::TooMany { is_alone: false });
        assert_eq!(under_way.by_user.len(), users);
    }

    #[test]
    fn a_clear_does_for_another_request_unless_a_message_came_in_between() {
        let user = UserId::try_from(1).unwrap();
        let [before, after] = [1, 2].map(|count| (Epoch::default(), count));
        let mut under_way = UnderWay::default();
        let mut request = |arrived| under_way.request(&user, &conversation(7), arrived);
        assert_eq!([request(before), request(before)], [Request::Begun, Request::Covered]);
        for count in 2..200 {
            assert_eq!(request((Epoch::default(), count)), Request::Begun);
        }
        assert_eq!([request(after), request(after)], [Request::Begun, Request::Covered]);
        assert!(under_way.is_wanted(&user, &conversation(7), after));
        assert!(!under_way.is_wanted(&user, &conversation(7), after), "once");
        assert!(!under_way.end(&user, &conversation(7), before), "another one has replaced it");
        assert!(under_way.end(&user, &conversation(7), after));
    }
}
