//! Whom somebody is to be told about: users for whom messages wait although nobody is there.
//!
//! It follows from what is stored, so nothing is lost with a process. The daemon that writes looks at new rows of
//! the message table every second (`watermark`), and notes their receivers in `chatpush_notified`. It looks at
//! each noted user when the time has come (`judgement`), and offers whoever is due. `offers` gives them to PHP.

mod judgement;
pub(crate) mod offers;
pub(crate) mod returned;
mod watermark;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::judgement::Judge;
use self::watermark::Watermark;
use crate::base::backoff::{Backoff, Failure};
use crate::base::clock;
use crate::broker::BrokerError;
use crate::broker::lease::Lease;
use crate::config::Notify;
use crate::services::Services;
use crate::store::{Store, StoreError};

/// The time between two looks at the tables.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often to look whether keys of the message table begin again, as after TRUNCATE.
const KEYS_INTERVAL: Duration = Duration::from_secs(10);

/// Rows of the message table, or users, in one query.
const ROWS: u32 = 500;

/// Most such queries in one look. What is left is done in the next one.
const QUERIES: usize = 100;

/// Of a table whose keys begin again, so many of the last keys are looked at.
const KEYS_AGAIN: u64 = 10_000;

/// Finds who is due.
#[derive(Debug)]
pub(crate) struct Notifier {
    services: Arc<Services>,
    lease: Lease,
    notify: Notify,
    /// None until this daemon is the one that writes.
    watermark: Option<Watermark>,
    next_keys: Instant,
}

/// Why a look failed. The next one makes up for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    /// MySQL.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Failure for NotifyError {
    fn summary(&self) -> &'static str {
        match self {
            Self::Store(error) => error.summary(),
            Self::Broker(error) => error.summary(),
        }
    }
}

impl Notifier {
    /// With these settings. It works while this daemon holds the lease.
    pub(crate) fn new(services: Arc<Services>, lease: Lease, notify: Notify) -> Self {
        Self { services, lease, notify, watermark: None, next_keys: Instant::now() }
    }

    /// Looks every second, until `stop` is cancelled.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.look_again_and_again() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn look_again_and_again(&mut self) {
        let mut failures = Backoff::new("Redis and MySQL (notifications)");
        loop {
            sleep(INTERVAL).await;
            match self.look().await {
                Ok(()) => failures.recovered(),
                Err(error) => failures.failed(&error).await,
            }
        }
    }

    async fn look(&mut self) -> Result<(), NotifyError> {
        let services = self.services.clone();
        let Some(store) = &services.store else { return Ok(()) };
        if !self.lease.is_mine().await? {
            self.watermark = None;
            return Ok(());
        }
        self.note_receivers(store).await?;
        self.judge(&services, store).await
    }

    /// Notes the receivers of new rows.
    async fn note_receivers(&mut self, store: &Store) -> Result<(), StoreError> {
        let mut watermark = match self.watermark.take() {
            Some(watermark) => watermark,
            None => Watermark::new(store.scanned().await?),
        };
        if Instant::now() >= self.next_keys {
            self.next_keys = Instant::now() + KEYS_INTERVAL;
            let next = store.next_key().await?;
            if next <= watermark.scanned() {
                tracing::info!(next, "keys of the message table begin again");
                watermark = Watermark::new(next.saturating_sub(KEYS_AGAIN));
            }
        }
        for _ in 0..QUERIES {
            let found = store.scan_receivers(&watermark.ranges(Instant::now()), ROWS).await?;
            store.note_waiting(&found, clock::unix_milliseconds()).await?;
            let keys: Vec<_> = found.iter().map(|row| row.key).collect();
            watermark.saw(&keys, Instant::now());
            if found.len() < ROWS as usize {
                break;
            }
        }
        if let Some(key) = watermark.due_to_record(Instant::now()) {
            store.record_scanned(key).await?;
            watermark.recorded(key);
        }
        self.watermark = Some(watermark);
        Ok(())
    }

    /// Looks at users whose time has come.
    async fn judge(&self, services: &Services, store: &Store) -> Result<(), NotifyError> {
        let judge = Judge::new(services, store, self.notify);
        for _ in 0..QUERIES {
            let now = clock::unix_milliseconds();
            let candidates = store.to_check(now, ROWS).await?;
            let count = candidates.len();
            let verdicts = judge.verdicts(candidates, now).await?;
            store.record_verdicts(&verdicts, now).await?;
            if count < ROWS as usize {
                break;
            }
        }
        Ok(())
    }
}
