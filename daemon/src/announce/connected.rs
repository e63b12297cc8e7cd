//! Users who have connected to this daemon.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::base::gathered::Gathered;
use crate::hub::Hub;
use crate::services::Services;
use crate::store::{Store, StoreError};

/// Users who are recorded, or looked at, at a time.
const USERS: usize = 500;

/// The time between two looks whether users who are connected are recorded.
const INTERVAL: Duration = Duration::from_secs(10);

/// Records who has connected. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Connected(Option<Arc<Gathered<UserId>>>);

impl Connected {
    /// It does nothing unless somebody is told.
    pub(crate) fn new(announces: bool) -> Self {
        Self(announces.then(Arc::default))
    }

    /// A user has connected, and is subscribed in Redis.
    pub(crate) fn note(&self, user: &UserId) {
        if let Some(gathered) = &self.0 {
            gathered.add(user);
        }
    }

    /// Records users until `stop` is cancelled, and then those who are left.
    ///
    /// Nobody waits for it, and too many at once are not kept. So it also looks, some at a time, whether all who are
    /// connected are recorded.
    pub(crate) async fn run(self, services: Arc<Services>, hub: Arc<Hub>, stop: CancellationToken) {
        let (Some(gathered), Some(store)) = (&self.0, &services.store) else { return };
        let mut mysql = Backoff::new("MySQL (who is online)");
        let mut unchecked = Vec::new();
        let mut next_look = Instant::now() + INTERVAL;
        while !stop.is_cancelled() {
            tokio::select! {
                () = gathered.wait(&stop) => {}
                () = tokio::time::sleep_until(next_look) => {
                    next_look = Instant::now() + INTERVAL;
                    if unchecked.is_empty() {
                        unchecked = hub.users();
                    }
                    let users = unchecked.split_off(unchecked.len().saturating_sub(USERS));
                    // What cannot be read now is read in the next round.
                    for user in missing(store, &users).await.unwrap_or_default() {
                        gathered.add(&user);
                    }
                }
            }
            while let Some(users) = gathered.first(USERS) {
                let recorded = record(store, &users).await;
                if !gathered.settle(&users, recorded, &mut mysql, &stop).await {
                    return;
                }
            }
        }
    }
}

async fn missing(store: &Store, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    if users.is_empty() { Ok(Vec::new()) } else { store.not_announced(users).await }
}

async fn record(store: &Store, users: &[UserId]) -> Result<(), StoreError> {
    store.record_online(users, store.now().await?).await
}
