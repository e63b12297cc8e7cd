//! The writer: everything in the log, applied to MySQL in order, exactly once.
//!
//! One daemon writes, the others stand by. It commits whatever waits as one transaction: while a commit is
//! under way the next batch gathers, so batches grow with the load and no timer is needed.

mod deferred;
mod trimming;
mod term;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::term::{Term, TermError};
use crate::base::backoff::Backoff;
use crate::broker::lease::{self, Lease};
use crate::services::Services;
use crate::store::StoreError;

/// How often a stand-by looks whether the lease is free or its holder gone.
const STANDBY_INTERVAL: Duration = Duration::from_millis(250);

/// The writer of this daemon.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    services: Arc<Services>,
    lease: Lease,
    /// Whether this daemon is subscribed in Redis. Another daemon takes the lease from one that is not.
    present: watch::Receiver<bool>,
}

impl Writer {
    /// A writer that may hold the lease while `present` is true.
    pub(crate) fn new(services: &Arc<Services>, lease: Lease, present: watch::Receiver<bool>) -> Self {
        Self { services: services.clone(), lease, present }
    }

    /// Writes whenever the lease is free, until told to stop; the batch under way is finished then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut redis = Backoff::new("Redis (writer)");
        let mut mysql = Backoff::new("MySQL (writer)");
        while !stop.is_cancelled() {
            if !*self.present.borrow() {
                _ = tokio::time::timeout(STANDBY_INTERVAL, stop.cancelled()).await;
                continue;
            }
            match self.lease.acquire().await {
                Ok(true) => {}
                Ok(false) => {
                    redis.recovered();
                    _ = tokio::time::timeout(STANDBY_INTERVAL, stop.cancelled()).await;
                    continue;
                }
                Err(error) => {
                    redis.failed(&error).await;
                    continue;
                }
            }
            let ended = self.term(&stop, &mut redis, &mut mysql).await;
            if let Err(error) = self.lease.release().await {
                tracing::debug!(%error, "the lease could not be given up and will run out");
            }
            match ended {
                Ok(()) => {}
                Err(TermError::Redis(error)) => redis.failed(&error).await,
                Err(TermError::Store(StoreError::Fenced)) => tracing::warn!("another daemon has taken over"),
                Err(TermError::Store(error)) => mysql.failed(&error).await,
            }
        }
    }

    /// One term: from taking the lease to losing it, a failure, or the end.
    async fn term(
        &self,
        stop: &CancellationToken,
        redis: &mut Backoff,
        mysql: &mut Backoff,
    ) -> Result<(), TermError> {
        let mut term = Term::begin(&self.services).await?;
        let lapsed = CancellationToken::new();
        tokio::select! {
            ended = term.batches([stop, &lapsed], redis, mysql) => ended,
            () = self.keep_lease(&lapsed) => Ok(()),
        }
    }

    /// Keeps the lease; tells when it is lost, and ends with whoever is told.
    async fn keep_lease(&self, lapsed: &CancellationToken) {
        loop {
            tokio::time::sleep(lease::RENEWAL_INTERVAL).await;
            match self.lease.renew().await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::info!("the lease is another's, standing by");
                    lapsed.cancel();
                    return std::future::pending().await;
                }
                Err(error) => tracing::debug!(%error, "the lease is not renewed"),
            }
        }
    }
}
