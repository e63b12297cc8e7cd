//! Users who have come back: somebody is told again of what comes later.
//!
//! A connection is noted in Redis before its client gets anything, and stays there until the daemon that writes has
//! recorded it in MySQL. So a daemon that is killed, or a MySQL that is away, does not lose it. A Redis or MySQL that was
//! killed, or replaced by its replica, may have lost what it accepted last: then the daemon notes its last users again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::NotifyError;
use super::judgement::CONNECTED_INTERVAL;
use crate::base::backoff::Backoff;
use crate::base::clock::milliseconds;
use crate::base::fault_injection::{self, Promise};
use crate::broker::commands::ConnectionNumber;
use crate::broker::{BrokerError, returned};
use crate::config::{Notify, When};
use crate::services::Services;
use crate::store::Store;

/// How long a daemon remembers who has connected: longer than what a server may lose, a second of its log, or what a
/// replica is behind.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Most users whom it remembers. Further ones are noted in Redis alone.
const MOST: usize = 100_000;

/// How often it looks whether they are to be noted again.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long it may take to read MySQL's clock, so that the times of connections are known: less than the shortest
/// `notify.after`. Otherwise it is read again.
const CLOCK_TIMEOUT: Duration = Duration::from_millis(500);

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
    /// Who has connected lately, and when. A plain mutex: nothing awaits while holding it.
    last: Mutex<HashMap<UserId, Instant>>,
    /// Whether some of them could not be noted.
    failed: AtomicBool,
}

impl Returned {
    /// It does nothing where nobody is told, or where only reading counts.
    pub(crate) fn new(services: &Arc<Services>) -> Self {
        Self(is_noted(services.config.notify).then(|| {
            let (last, failed) = (Mutex::default(), AtomicBool::new(false));
            Arc::new(Noting { services: services.clone(), last, failed })
        }))
    }

    /// A user has connected. A Redis that refuses it, for instance for an account's rights, keeps nobody waiting: it is
    /// tried again beside.
    pub(crate) async fn note(&self, user: &UserId) {
        let Some(noting) = &self.0 else { return };
        noting.remember(user);
        if noting.note([(user.clone(), None)]).await.is_err() {
            noting.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Notes the last users again after a failure, or when other servers may answer, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(noting) = self.0 else { return };
        tokio::select! {
            () = noting.note_again_and_again() => {}
            () = stop.cancelled() => {}
        }
    }
}

impl Noting {
    async fn note_again_and_again(&self) {
        let mut redis = Backoff::new("Redis and MySQL (who has come back)");
        let mut noted_by = self.servers().await;
        loop {
            sleep(INTERVAL).await;
            let servers = self.servers().await;
            let has_failed = self.failed.swap(false, Ordering::Relaxed);
            if servers == noted_by && !has_failed {
                self.forget();
                continue;
            }
            match self.note_again().await {
                Ok(()) => {
                    noted_by = servers;
                    redis.recovered();
                }
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    redis.failed(&error).await;
                }
            }
        }
    }

    /// Numbers that change when a connection to Redis or MySQL was lost.
    async fn servers(&self) -> (ConnectionNumber, u64) {
        let Services { commands, store, .. } = &*self.services;
        (commands.number().await, store.as_ref().map_or(0, Store::generation))
    }

    /// Notes the last users with the times of their connections: whoever has become due since is not told of again.
    async fn note_again(&self) -> Result<(), NotifyError> {
        let Some(store) = &self.services.store else { return Ok(()) };
        let last = self.last().clone();
        if last.is_empty() {
            return Ok(());
        }
        // MySQL's clock is read later: a time that is a little too late tells of nobody twice, since nobody is due so
        // soon after a connection. One that is too early would be from before the user was due.
        let before = Instant::now();
        let now = store.now().await?;
        if before.elapsed() > CLOCK_TIMEOUT {
            self.failed.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let at = |at: Instant| Some(now.saturating_sub(milliseconds(before.duration_since(at))));
        Ok(self.note(last.into_iter().map(|(user, connected)| (user, at(connected)))).await?)
    }

    async fn note(&self, users: impl IntoIterator<Item = (UserId, Option<u64>)>) -> Result<(), BrokerError> {
        if fault_injection::breaks(Promise::Returned) {
            return Ok(());
        }
        returned::note(&self.services.commands, &self.services.prefix, users).await
    }

    fn remember(&self, user: &UserId) {
        let mut last = self.last();
        if last.len() < MOST || last.contains_key(user) {
            last.insert(user.clone(), Instant::now());
        }
    }

    fn forget(&self) {
        self.last().retain(|_, connected| connected.elapsed() < REMEMBERED);
    }

    fn last(&self) -> MutexGuard<'_, HashMap<UserId, Instant>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is noted who connects.
pub(super) fn is_noted(notify: Option<Notify>) -> bool {
    matches!(notify, Some(Notify { when: When::Undelivered, .. }))
}

/// Records users in MySQL who were noted, some at a time. True if there may be more: whoever is noted meanwhile waits for
/// the next time. On a slow machine somebody always is.
pub(super) async fn record(services: &Services, store: &Store) -> Result<bool, NotifyError> {
    let Services { commands, prefix, config, .. } = services;
    let (noted, may_be_more) =
        returned::noted(commands, prefix, config.user_id_type, PARTITION_USERS).await?;
    for some in noted.chunks(STATEMENT_USERS) {
        let users: Vec<_> = some.iter().map(|marked| marked.user.clone()).collect();
        let known = store.noted(&users).await?;
        if !known.is_empty() {
            let (mut first, mut again) = (Vec::new(), Vec::new());
            for marked in some.iter().filter(|marked| known.contains(&marked.user)) {
                match marked.connected_at {
                    None => first.push(&marked.user),
                    Some(at) => again.push((&marked.user, at)),
                }
            }
            let now = store.now().await?;
            let look_at = now + milliseconds(CONNECTED_INTERVAL);
            store.record_connected(&first, &again, now, look_at).await?;
        }
        returned::forget(commands, prefix, some).await?;
    }
    Ok(may_be_more)
}
