//! The writer: applies the log to MySQL, in order and exactly once.
//!
//! One daemon writes, the others stand by. Everything that waits in the log is committed as one transaction.
//! During the commit the next batch gathers, so batches grow with the load, and no timer delays a message.

mod deferred;
mod expiry;
mod mailboxes;
mod refusals;
mod refused_messages;
mod sweeping;
mod trimming;
mod term;

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::partition::{Partition, Partitions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::refusals::Refusals;
use self::term::{Term, TermError};
use crate::base::backoff::{Backoff, Failure as _};
use crate::base::fault_injection::{self, Promise};
use crate::broker::lease::{self, Lease};
use crate::services::Services;
use crate::store::StoreError;

/// How often a daemon on standby tries to acquire the lease.
const STANDBY_INTERVAL: Duration = Duration::from_millis(250);

/// The writer of this daemon.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    services: Arc<Services>,
    lease: Lease,
    /// Where this daemon is subscribed in Redis. Another daemon takes the lease from one that is not.
    subscribed: watch::Receiver<Partitions>,
}

impl Writer {
    /// A writer that may hold the lease while its daemon is subscribed in the first partition, whose Redis has the lease.
    pub(crate) fn new(
        services: &Arc<Services>,
        lease: Lease,
        subscribed: watch::Receiver<Partitions>,
    ) -> Self {
        Self { services: services.clone(), lease, subscribed }
    }

    /// Writes whenever this daemon holds the lease, until `stop`. The current batch is finished.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut redis = Backoff::new("Redis (writer)");
        let mut mysql = Backoff::new("MySQL (writer)");
        let mut replicas = Backoff::new("Redis (replicas)");
        let mut refusals = Refusals::default();
        while !stop.is_cancelled() {
            if !self.subscribed.borrow().contains(Partition::FIRST) {
                _ = tokio::time::timeout(STANDBY_INTERVAL, stop.cancelled()).await;
                continue;
            }
            match self.lease.acquire().await {
                Ok(true) => {}
                // The fence alone must suffice, so the fault test that breaks it does without the lease.
                Ok(false) if fault_injection::breaks(Promise::Fence) => {}
                Ok(false) => {
                    redis.recovered();
                    self.services.writer_error.clear();
                    self.services.replicas_error.clear();
                    _ = tokio::time::timeout(STANDBY_INTERVAL, stop.cancelled()).await;
                    continue;
                }
                Err(error) => {
                    redis.failed(&error).await;
                    continue;
                }
            }
            let peers = [&mut redis, &mut mysql, &mut replicas];
            let ended = self.term(&stop, peers, &mut refusals).await;
            if let Err(error) = self.lease.release().await {
                tracing::debug!(%error, "cannot release the lease; it will expire");
            }
            match ended {
                Ok(()) => {}
                Err(TermError::Redis(error)) => redis.failed(&error).await,
                Err(TermError::Agreement(error)) => redis.failed(&error).await,
                Err(TermError::Store(StoreError::Fenced)) => tracing::warn!("another daemon has taken over"),
                Err(TermError::Store(error)) => {
                    self.services.writer_error.failed(error.report());
                    mysql.failed(&error).await;
                }
            }
        }
    }

    /// One term: from acquiring the lease to losing it, an error, or `stop`.
    async fn term(
        &self,
        stop: &CancellationToken,
        peers: [&mut Backoff; 3],
        refusals: &mut Refusals,
    ) -> Result<(), TermError> {
        let lapsed = CancellationToken::new();
        let term = async {
            // Without a database no writer runs.
            let Some(store) = &self.services.store else { return Ok(()) };
            let mut term = Term::begin(&self.services, store, refusals).await?;
            term.batches([stop, &lapsed], peers).await
        };
        tokio::select! {
            ended = term => ended,
            () = self.keep_lease(&lapsed) => Ok(()),
        }
    }

    /// Renews the lease. When it is lost, cancels `lapsed` and waits until this future is dropped with the
    /// term.
    async fn keep_lease(&self, lapsed: &CancellationToken) {
        loop {
            if let Err(error) = self.services.redis_clock.read(&self.services.commands).await {
                tracing::debug!(%error, "cannot read Redis's clock");
            }
            tokio::time::sleep(lease::RENEWAL_INTERVAL).await;
            match self.lease.renew().await {
                Ok(true) => {}
                Ok(false) if fault_injection::breaks(Promise::Fence) => {}
                Ok(false) => {
                    tracing::info!("lost the lease, standing by");
                    lapsed.cancel();
                    return std::future::pending().await;
                }
                Err(error) => tracing::debug!(%error, "cannot renew the lease"),
            }
        }
    }
}
