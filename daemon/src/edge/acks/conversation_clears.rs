//! Clears of conversations that clients ask for (`{"read":{"conversation":"…"}}`). One task for each user appends
//! what was asked for, and waits until that is applied before it appends more, so that a flood of them holds up
//! nobody else.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::UserId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::clears::INTERVAL;
use super::waiting::Waiting;
use crate::query::barrier::Barrier;

/// Conversations of one user that may wait. Beyond it, requests are dropped.
const CONVERSATIONS: usize = 64;

/// Users whose requests may wait at the same time.
const USERS: usize = 16_384;

/// The clears of all users of this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct ConversationClears(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    barrier: Barrier,
    queue: mpsc::Sender<Waiting>,
    stop: CancellationToken,
    /// What waits for each user whose task runs. A plain mutex: nothing awaits while holding it.
    users: Mutex<HashMap<UserId, BTreeSet<String>>>,
}

impl ConversationClears {
    /// Clears that are appended through `queue`. After `stop` they do not wait for those before them.
    pub(super) fn new(barrier: Barrier, queue: mpsc::Sender<Waiting>, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared { barrier, queue, stop, users: Mutex::default() }))
    }

    /// Clears what a conversation has counted for `user` until now.
    pub(super) fn request(&self, user: UserId, conversation: Conversation) {
        let mut users = self.users();
        if let Some(waiting) = users.get_mut(&user) {
            if waiting.len() < CONVERSATIONS {
                waiting.insert(conversation.into());
            } else {
                tracing::warn!(%user, "clear dropped: the user has too many under way");
            }
            return;
        }
        if users.len() >= USERS {
            tracing::warn!(%user, "clear dropped: too many wait for MySQL. The unread counter stays");
            return;
        }
        users.insert(user.clone(), BTreeSet::from([conversation.into()]));
        drop(users);
        tokio::spawn(self.clone().run(user));
    }

    /// Appends what waits for the user, until nothing does.
    async fn run(self, user: UserId) {
        let Shared { barrier, queue, stop, .. } = &*self.0;
        while let Some(conversations) = self.take(&user) {
            let mut last = None;
            for conversation in conversations {
                let Ok(conversation) = Conversation::try_from(conversation) else { continue };
                let (sender, appended) = oneshot::channel();
                if queue.send(Waiting::Clear(user.clone(), Some(conversation), sender)).await.is_err() {
                    break;
                }
                last = appended.await.ok().or(last);
            }
            _ = stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await;
            if let Some(position) = last {
                _ = stop.run_until_cancelled(barrier.wait(&user, position)).await;
            }
        }
    }

    /// What waits for a user. None if nothing does: then no task runs for the user any more.
    fn take(&self, user: &UserId) -> Option<BTreeSet<String>> {
        let mut users = self.users();
        let waiting = std::mem::take(users.get_mut(user)?);
        if waiting.is_empty() {
            users.remove(user);
            return None;
        }
        Some(waiting)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, BTreeSet<String>>> {
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
