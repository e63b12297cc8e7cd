//! Users who have no connection to any daemon any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::base::backoff::{Backoff, Failure};
use crate::base::fault_injection::{self, Promise};
use crate::broker::lease::Lease;
use crate::broker::{BrokerError, presence};
use crate::services::Services;
use crate::store::announced::Announced;
use crate::store::{Store, StoreError};

/// How long somebody is without a connection before the application is told.
const GRACE: Duration = Duration::from_secs(10);

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Users in one query.
const USERS: u32 = 500;

/// Most such queries in one look. The next one goes on behind them.
const QUERIES: usize = 40;

/// Most users who are known to be gone. Others are found in a later look.
const KNOWN: usize = 100_000;

/// How long it is known of somebody that they were gone, if they are not found any more.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Looks who is gone, while this daemon holds the lease.
#[derive(Debug)]
pub(crate) struct Gone {
    services: Arc<Services>,
    lease: Lease,
    /// The last user who was looked at; none: begin with the first.
    after: Option<UserId>,
    /// When somebody was found without a connection first, and their last connection before that.
    known: HashMap<UserId, (Instant, u64)>,
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
enum GoneError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Failure for GoneError {
    fn summary(&self) -> &'static str {
        match self {
            Self::Store(error) => error.summary(),
            Self::Broker(error) => error.summary(),
        }
    }
}

impl Gone {
    /// It works while this daemon holds the lease.
    pub(crate) fn new(services: Arc<Services>, lease: Lease) -> Self {
        Self { services, lease, after: None, known: HashMap::new() }
    }

    /// Looks every second, until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.look_again_and_again() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn look_again_and_again(&mut self) {
        let mut failures = Backoff::new("Redis and MySQL (who is online)");
        loop {
            sleep(INTERVAL).await;
            match self.look().await {
                Ok(()) => failures.recovered(),
                Err(error) => {
                    // After a restart of Redis nobody is subscribed for a moment, so the time begins again.
                    self.known.clear();
                    failures.failed(&error).await;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<(), GoneError> {
        let services = self.services.clone();
        let Some(store) = &services.store else { return Ok(()) };
        if !self.lease.is_mine().await? {
            self.known.clear();
            return Ok(());
        }
        for _ in 0..QUERIES {
            let users = store.announced(self.after.as_ref(), USERS).await?;
            self.after = users.last().filter(|_| users.len() == USERS as usize).map(|last| last.user.clone());
            let gone = self.gone(users).await?;
            self.announce(store, &gone).await?;
            if self.after.is_none() {
                self.known.retain(|_, (first, _)| first.elapsed() < FORGOTTEN);
                break;
            }
        }
        Ok(())
    }

    /// Those of these users who have been without a connection for long enough.
    async fn gone(&mut self, users: Vec<Announced>) -> Result<Vec<Announced>, GoneError> {
        let Services { commands, prefix, .. } = &*self.services;
        let ids: Vec<_> = users.iter().map(|announced| announced.user.clone()).collect();
        let online: HashMap<UserId, bool> =
            presence::online(commands, prefix, &ids).await?.into_iter().collect();
        let mut gone = Vec::new();
        for announced in users {
            if online.get(&announced.user).copied().unwrap_or(true) {
                self.known.remove(&announced.user);
                continue;
            }
            let now = (Instant::now(), announced.connected_ms);
            let has_room = self.known.len() < KNOWN;
            match self.known.get_mut(&announced.user) {
                // Another connection came and went meanwhile.
                Some(known) if known.1 != announced.connected_ms => *known = now,
                Some((first, _)) if first.elapsed() >= GRACE => gone.push(announced),
                None if has_room => {
                    self.known.insert(announced.user, now);
                }
                Some(_) | None => {}
            }
        }
        Ok(gone)
    }

    async fn announce(&mut self, store: &Store, gone: &[Announced]) -> Result<(), GoneError> {
        if gone.is_empty() || fault_injection::breaks(Promise::Offline) {
            return Ok(());
        }
        store.record_offline(gone, store.now().await?).await?;
        for announced in gone {
            self.known.remove(&announced.user);
        }
        Ok(())
    }
}
