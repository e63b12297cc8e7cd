//! Users who have come back: somebody is told again of what comes later.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::sync::Notify as Signal;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::judgement::{CONNECTED_INTERVAL, milliseconds};
use crate::base::backoff::Backoff;
use crate::config::{Notify, When};
use crate::services::Services;
use crate::store::{Store, StoreError};

/// Users who are recorded at a time.
const USERS: usize = 500;

/// Most users who wait to be recorded. Whoever comes then is not recorded; if nothing waits for them any more, the
/// sweep of the writer makes up for it.
const WAITING: usize = 100_000;

/// How long users gather.
const GATHER: Duration = Duration::from_millis(50);

/// Records who has come back. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Returned(Option<Arc<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    /// A plain mutex: nothing awaits while holding it.
    users: Mutex<BTreeSet<UserId>>,
    changed: Signal,
}

impl Returned {
    /// It does nothing where nobody is told, or where only reading counts.
    pub(crate) fn new(notify: Option<Notify>) -> Self {
        let ends = matches!(notify, Some(Notify { when: When::Undelivered, .. }));
        Self(ends.then(Arc::default))
    }

    /// A user has connected.
    pub(crate) fn note(&self, user: &UserId) {
        let Some(shared) = &self.0 else { return };
        let mut users = shared.users();
        if users.len() < WAITING {
            users.insert(user.clone());
            drop(users);
            shared.changed.notify_one();
        }
    }

    /// Records users until `stop` is cancelled, and then those who are left.
    pub(crate) async fn run(self, services: Arc<Services>, stop: CancellationToken) {
        let (Some(shared), Some(store)) = (&self.0, &services.store) else { return };
        let mut mysql = Backoff::new("MySQL (notifications)");
        while !stop.is_cancelled() {
            tokio::select! {
                () = shared.changed.notified() => sleep(GATHER).await,
                () = stop.cancelled() => {}
            }
            loop {
                let users: Vec<_> = shared.users().iter().take(USERS).cloned().collect();
                if users.is_empty() {
                    break;
                }
                match record(store, &users).await {
                    Ok(()) => {
                        mysql.recovered();
                        let mut waiting = shared.users();
                        for user in &users {
                            waiting.remove(user);
                        }
                    }
                    Err(_) if stop.is_cancelled() => return,
                    Err(error) => mysql.failed(&error).await,
                }
            }
        }
    }
}

impl Shared {
    fn users(&self) -> MutexGuard<'_, BTreeSet<UserId>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn record(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    let noted = store.noted(users).await?;
    if noted.is_empty() {
        return Ok(());
    }
    let now = store.now().await?;
    store.record_connected(&noted, now, now + milliseconds(CONNECTED_INTERVAL)).await
}
