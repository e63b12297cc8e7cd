//! Whom somebody is to be told about: users for whom messages wait although nobody is there.
//!
//! It follows from what is stored, so nothing is lost with a process. The daemon that writes looks at new rows of
//! the message table every second (`looks`), and notes their receivers in `chatpush_notified`. It looks at
//! each noted user when the time has come (`judgement`), and offers whoever is due. `offers` leases them to PHP, to a
//! webhook or to Web Push. `returned` records who has come back. Times are those of MySQL's clock.

mod judgement;
mod looks;
pub(crate) mod offers;
mod receivers;
pub(crate) mod returned;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::judgement::Judge;
use self::looks::Looks;
use self::receivers::Receivers;
use crate::barrier::Barrier;
use crate::base::backoff::{Backoff, Failure};
use crate::base::fault_injection::{self, Promise};
use crate::broker::BrokerError;
use crate::broker::lease::Lease;
use crate::config::Notify;
use crate::services::Services;
use crate::store::notified::{Candidate, Verdict};
use crate::store::{Store, StoreError};

/// The time between two looks at the tables.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often to look for times that are too far ahead.
const AHEAD_INTERVAL: Duration = Duration::from_secs(10);

/// Rows of the message table, or users, in one query.
const ROWS: u32 = 500;

/// Users of whom somebody was told that are swept at a time.
const TOLD_USERS: u32 = 200;

/// Most such queries in one look. What is left is done in the next one.
const QUERIES: usize = 100;

/// Of a table whose keys begin again, so many of the last keys are looked at.
const KEYS_AGAIN: u64 = 10_000;

/// Finds who is due.
#[derive(Debug)]
pub(crate) struct Notifier {
    services: Arc<Services>,
    lease: Lease,
    judge: Judge,
    after: Duration,
    /// None: they begin where it is recorded.
    looks: Option<Looks>,
    /// Of the store's connections, when they were last known to hold; none after a look that has failed.
    trusted: Option<u64>,
    next_ahead: Instant,
    /// The last user of whom somebody was told that was swept.
    told: Option<Candidate>,
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
    pub(crate) fn new(services: Arc<Services>, lease: Lease, barrier: Barrier, notify: Notify) -> Self {
        let judge = Judge::new(services.clone(), barrier, notify);
        Self {
            services,
            lease,
            judge,
            after: notify.after,
            looks: None,
            trusted: None,
            next_ahead: Instant::now(),
            told: None,
        }
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
            self.looks = None;
            return Ok(());
        }
        // What fails in one of the tables does not stop the others.
        let returned = self.record_returned(store).await;
        let unread = self.note_unread(store).await;
        let noted = self.note_receivers(store, unread.as_ref().ok()).await;
        if noted.is_err() {
            self.trusted = None;
        }
        let judged = self.judge(store).await;
        let brought_back = self.bring_back(store).await;
        let swept = self.sweep(store).await;
        returned?;
        unread?;
        noted?;
        judged?;
        brought_back?;
        swept
    }

    /// Records who has connected since the last look.
    async fn record_returned(&self, store: &Store) -> Result<(), NotifyError> {
        if returned::is_noted(self.services.config.notify) {
            for _ in 0..QUERIES {
                if !returned::record(&self.services, store).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes who has new unread messages, where users are told of these, and returns them.
    async fn note_unread(&self, store: &Store) -> Result<BTreeSet<UserId>, NotifyError> {
        let Services { newly_unread, redis_clock, .. } = &*self.services;
        let new = newly_unread.all();
        if new.is_empty() || fault_injection::breaks(Promise::Unread) {
            return Ok(BTreeSet::new());
        }
        let ahead = store.now().await?.cast_signed() - redis_clock.now().cast_signed();
        let noted = store.note_unread(&new, ahead, self.after).await?;
        newly_unread.noted(&noted);
        Ok(noted.into_keys().collect())
    }

    /// Begins to look, or to look anew. MySQL may have lost its last commits with a connection: then keys that were
    /// looked at are given to other rows. If it has, what was recorded last is gone with them, since that was committed
    /// later. Connections may break each minute, so that what was missing is never looked at for the last time: looks
    /// that hold go on.
    async fn trust_looks(&mut self, store: &Store) -> Result<(), NotifyError> {
        let generation = store.generation();
        if self.looks.is_none() || self.trusted != Some(generation) {
            let recorded = store.scanned().await?;
            let looks = self.looks.take().and_then(|mut looks| looks.go_back(recorded).then_some(looks));
            self.looks = Some(looks.unwrap_or_else(|| Looks::recorded_at(recorded)));
            self.trusted = Some(generation);
        }
        Ok(())
    }

    /// Notes the receivers of new rows, but for those who were `noted` in this look.
    async fn note_receivers(
        &mut self,
        store: &Store,
        noted: Option<&BTreeSet<UserId>>,
    ) -> Result<(), NotifyError> {
        let none = BTreeSet::new();
        let noted = noted.unwrap_or(&none);
        let services = self.services.clone();
        let receivers = Receivers::new(&services, store, noted);
        self.trust_looks(store).await?;
        let Some(looks) = &mut self.looks else { return Ok(()) };
        let next = store.next_key().await?;
        if next <= looks.largest() {
            // As after TRUNCATE.
            tracing::info!(next, "keys of the message table begin again");
            *looks = Looks::new(next.saturating_sub(KEYS_AGAIN));
        }
        let now = Instant::now();
        for _ in 0..QUERIES {
            let found = receivers.note(&looks.next(), ROWS).await?;
            if let Some(last) = found.last() {
                looks.saw(last.key, found.len(), now);
            }
            if found.len() < ROWS as usize {
                break;
            }
        }
        for _ in 0..QUERIES {
            let Some(missing) = looks.due_missing(now) else { break };
            let found = receivers.note(&missing.keys, ROWS).await?;
            let up_to =
                found.last().filter(|last| found.len() == ROWS as usize && last.key < *missing.keys.end());
            looks.saw_missing(missing, up_to.map(|last| last.key));
        }
        // Behind a lost connection it is not recorded before the next look has seen what was recorded last.
        if let Some(scanned) = looks.due_to_record().filter(|_| Some(store.generation()) == self.trusted) {
            store.record_scanned(scanned).await?;
            looks.recorded(scanned);
        }
        Ok(())
    }

    /// Looks at users whose time has come.
    async fn judge(&self, store: &Store) -> Result<(), NotifyError> {
        for _ in 0..QUERIES {
            let now = store.now().await?;
            let candidates = store.to_check(now, ROWS).await?;
            let count = candidates.len();
            let verdicts = self.judge.verdicts(store, candidates, now).await?;
            store.record_verdicts(&verdicts, now).await?;
            if count < ROWS as usize {
                break;
            }
        }
        Ok(())
    }

    /// Looks now and then at users whose times are so far ahead that MySQL's clock must have been.
    async fn bring_back(&mut self, store: &Store) -> Result<(), NotifyError> {
        if Instant::now() >= self.next_ahead {
            self.next_ahead = Instant::now() + AHEAD_INTERVAL;
            store.bring_back(store.now().await?, self.after).await?;
        }
        Ok(())
    }

    /// Forgets users of whom somebody was told and for whom nothing waits any more, some at a time: their return, or
    /// that they have read, was recorded by nobody. Users for whom only what came later waits have come back too, and
    /// are told again.
    async fn sweep(&mut self, store: &Store) -> Result<(), NotifyError> {
        let told = store.told(self.told.as_ref(), TOLD_USERS).await?;
        self.told = if told.len() < TOLD_USERS as usize { None } else { told.last().cloned() };
        if told.is_empty() {
            return Ok(());
        }
        let now = store.now().await?;
        let verdicts = self.judge.verdicts(store, told, now).await?;
        let of = |wanted| {
            let found = verdicts.iter().filter(move |(_, verdict)| *verdict == wanted);
            found.map(|(candidate, _)| candidate).collect::<Vec<_>>()
        };
        store.forget_told(&of(Verdict::Nothing)).await?;
        Ok(store.tell_again(&of(Verdict::Returned), now).await?)
    }
}
