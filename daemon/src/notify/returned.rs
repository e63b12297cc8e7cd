//! Users who have come back: somebody is told again of what comes later.
//!
//! A connection is noted in Redis before its client gets anything, and stays there until the daemon that writes has
//! recorded it in MySQL. So a daemon that is killed, or a MySQL that is away, does not lose it.

use std::sync::Arc;

use chatpush_wire::id::UserId;
use tokio_util::sync::CancellationToken;

use super::NotifyError;
use super::judgement::CONNECTED_INTERVAL;
use crate::base::backoff::Backoff;
use crate::base::clock::milliseconds;
use crate::base::fault_injection::{self, Promise};
use crate::base::gathered::Gathered;
use crate::broker::{BrokerError, returned};
use crate::config::{Notify, When};
use crate::services::Services;
use crate::store::Store;

/// Users who are noted again at a time.
const USERS: usize = 500;

/// Users of each partition who are recorded at a time.
const PARTITION_USERS: usize = 100;

/// Users in one statement.
const STATEMENT_USERS: usize = 500;

/// Notes who has connected. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Returned(Option<Arc<Noting>>);

#[derive(Debug)]
struct Noting {
    services: Arc<Services>,
    /// Those who could not be noted yet. If there are too many, and nothing waits for them any more, the sweep of the
    /// writer makes up for it.
    left: Gathered<UserId>,
}

impl Returned {
    /// It does nothing where nobody is told, or where only reading counts.
    pub(crate) fn new(services: &Arc<Services>) -> Self {
        let counts = is_noted(services.config.notify);
        Self(counts.then(|| Arc::new(Noting { services: services.clone(), left: Gathered::default() })))
    }

    /// A user has connected. A Redis that refuses it, for instance for an account's rights, keeps nobody waiting: it is
    /// tried again beside.
    pub(crate) async fn note(&self, user: &UserId) {
        let Some(noting) = &self.0 else { return };
        if noting.note(std::slice::from_ref(user)).await.is_err() {
            noting.left.add(user);
        }
    }

    /// Notes those who are left, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(noting) = self.0 else { return };
        let mut redis = Backoff::new("Redis (notifications)");
        while !stop.is_cancelled() {
            noting.left.wait(&stop).await;
            while let Some(users) = noting.left.first(USERS) {
                let noted = noting.note(&users).await;
                if !noting.left.settle(&users, noted, &mut redis, &stop).await {
                    return;
                }
            }
        }
    }
}

impl Noting {
    async fn note(&self, users: &[UserId]) -> Result<(), BrokerError> {
        if fault_injection::breaks(Promise::Returned) {
            return Ok(());
        }
        returned::note(&self.services.commands, &self.services.prefix, users).await
    }
}

/// Whether it is noted who connects.
pub(super) fn is_noted(notify: Option<Notify>) -> bool {
    matches!(notify, Some(Notify { when: When::Undelivered, .. }))
}

/// Records users in MySQL who were noted, some at a time. True if there may be more.
pub(super) async fn record(services: &Services, store: &Store) -> Result<bool, NotifyError> {
    let Services { commands, prefix, config, .. } = services;
    let noted = returned::noted(commands, prefix, config.user_id_type, PARTITION_USERS).await?;
    for some in noted.chunks(STATEMENT_USERS) {
        let users: Vec<_> = some.iter().map(|marked| marked.user.clone()).collect();
        let known = store.noted(&users).await?;
        if !known.is_empty() {
            let now = store.now().await?;
            store.record_connected(&known, now, now + milliseconds(CONNECTED_INTERVAL)).await?;
        }
        returned::forget(commands, prefix, some).await?;
    }
    Ok(!noted.is_empty())
}
