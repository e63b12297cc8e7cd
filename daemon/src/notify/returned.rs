//! Users who have come back: somebody is told again of what comes later.

use std::sync::Arc;

use chatpush_wire::id::UserId;
use tokio_util::sync::CancellationToken;

use super::judgement::CONNECTED_INTERVAL;
use crate::base::backoff::Backoff;
use crate::base::clock::milliseconds;
use crate::base::gathered::Gathered;
use crate::config::{Notify, When};
use crate::services::Services;
use crate::store::{Store, StoreError};

/// Users who are recorded at a time.
const USERS: usize = 500;

/// Records who has come back. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Returned(Option<Arc<Gathered<UserId>>>);

impl Returned {
    /// It does nothing where nobody is told, or where only reading counts.
    pub(crate) fn new(notify: Option<Notify>) -> Self {
        let ends = matches!(notify, Some(Notify { when: When::Undelivered, .. }));
        Self(ends.then(Arc::default))
    }

    /// A user has connected. If too many have, and nothing waits for them any more, the sweep of the writer makes up
    /// for it.
    pub(crate) fn note(&self, user: &UserId) {
        if let Some(gathered) = &self.0 {
            gathered.add(user);
        }
    }

    /// Records users until `stop` is cancelled, and then those who are left.
    pub(crate) async fn run(self, services: Arc<Services>, stop: CancellationToken) {
        let (Some(gathered), Some(store)) = (&self.0, &services.store) else { return };
        let mut mysql = Backoff::new("MySQL (notifications)");
        while !stop.is_cancelled() {
            gathered.wait(&stop).await;
            while let Some(users) = gathered.first(USERS) {
                let recorded = record(store, &users).await;
                if !gathered.settle(&users, recorded, &mut mysql, &stop).await {
                    return;
                }
            }
        }
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
