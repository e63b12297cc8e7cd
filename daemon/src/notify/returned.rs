//! A user has come back: somebody is told again of what comes later.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::timeout;

use super::judgement::CONNECTED_INTERVAL;
use crate::base::backoff::Backoff;
use crate::base::clock;
use crate::config::{Notify, When};
use crate::services::Services;
use crate::store::{Store, StoreError};

/// How long MySQL may be away without the return being forgotten.
const PATIENCE: Duration = Duration::from_secs(600);

/// Records, in a task of its own, that a user has connected, if anything is noted of them. Costs nothing where
/// nobody is told, or where only reading counts.
pub(crate) fn record(services: &Arc<Services>, user: &UserId) {
    let Some(Notify { when: When::Undelivered, .. }) = services.config.notify else { return };
    let (services, user) = (services.clone(), user.clone());
    tokio::spawn(async move {
        let Some(store) = &services.store else { return };
        let recording = async {
            let mut mysql = Backoff::new("MySQL (notifications)");
            while let Err(error) = record_in(store, &user).await {
                mysql.failed(&error).await;
            }
            mysql.recovered();
        };
        if timeout(PATIENCE, recording).await.is_err() {
            tracing::warn!(%user, "cannot record that a user has come back: nobody is told of what comes next");
        }
    });
}

async fn record_in(store: &Store, user: &UserId) -> Result<(), StoreError> {
    if !store.is_noted(user).await? {
        return Ok(());
    }
    let now = clock::unix_milliseconds();
    let look_at = now + u64::try_from(CONNECTED_INTERVAL.as_millis()).unwrap_or(0);
    store.record_connected(user, now, look_at).await
}
