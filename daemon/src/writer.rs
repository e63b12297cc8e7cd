//! The writer: everything in the log, applied to MySQL in order, exactly once.
//!
//! One daemon writes, the others stand by. It commits whatever waits as one transaction: while a commit is
//! under way the next batch gathers, so batches grow with the load and no timer is needed.

mod aside;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::key::Prefix;
use chatpush_wire::limit::{CHOSEN_SEEN_TTL, SEEN_TTL};
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Refusal, Reply};
use redis::Pipeline;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::aside::SetAside;
use crate::batch::{Batch, Logged, Move, Outcome};
use crate::bus::lease::{self, Lease};
use crate::bus::{BusError, Commands, WAIT, log, replies, waiting_connection};
use crate::metrics;
use crate::outage::Outage;
use crate::position::{Position, Positions};
use crate::store::apply::{Applied, Locks, Writing};
use crate::store::{Store, StoreError};

/// How often a stand-by looks whether the lease is free or its holder gone.
const STANDBY: Duration = Duration::from_millis(250);

/// How much one transaction may do, counted in rows that it touches.
const BATCH_ROWS: usize = 4_096;

/// What the writer works with.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Redis.
    pub commands: Commands,
    /// The start of every Redis name.
    pub prefix: Prefix,
    /// MySQL.
    pub store: Store,
    /// Who holds the pen.
    pub lease: Lease,
    /// Whether Redis knows this daemon. Whoever it does not know cannot keep the lease.
    pub present: watch::Receiver<bool>,
    /// Where others read how far the log is applied.
    pub positions: Arc<Positions>,
    /// Whether a message counts as unread.
    pub count_unread: bool,
}

/// Why a term as the writer ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Redis(#[from] BusError),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Cuts what was read to what one transaction may do. What is cut off is read again; whose it was is returned.
fn bound(entries: &mut Vec<Logged>) -> Vec<Partition> {
    let mut rows = 0;
    let end = entries.iter().position(|logged| {
        rows += logged.rows();
        rows > BATCH_ROWS
    });
    let cut = end.map_or_else(Vec::new, |end| entries.split_off(end.max(1)));
    cut.iter().map(|logged| logged.partition).collect()
}

impl Writer {
    /// Writes whenever the lease is free, until told to stop; the batch under way is finished then.
    pub async fn run(self, stop: CancellationToken) {
        let mut redis = Outage::of("Redis (writer)");
        let mut mysql = Outage::of("MySQL (writer)");
        while !stop.is_cancelled() {
            if !*self.present.borrow() {
                _ = tokio::time::timeout(STANDBY, stop.cancelled()).await;
                continue;
            }
            match self.lease.take().await {
                Ok(true) => {}
                Ok(false) => {
                    redis.recovered();
                    _ = tokio::time::timeout(STANDBY, stop.cancelled()).await;
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
                Err(Ended::Redis(error)) => redis.failed(&error).await,
                Err(Ended::Store(StoreError::Fenced)) => tracing::warn!("another daemon has taken over"),
                Err(Ended::Store(error)) => mysql.failed(&error).await,
            }
        }
    }

    /// One term: from taking the lease to losing it, a failure, or the end.
    async fn term(
        &self,
        stop: &CancellationToken,
        redis: &mut Outage,
        mysql: &mut Outage,
    ) -> Result<(), Ended> {
        let mut writing = Writing::open(&self.store).await?;
        let found = self.store.positions().await?;
        for (partition, position) in &found {
            log::repair(&self.commands, &self.prefix, *partition, *position).await?;
        }
        self.positions.advance_all(&found);
        let mut applied: BTreeMap<_, _> = found.into_iter().collect();
        let lapsed = CancellationToken::new();
        tokio::select! {
            ended = self.batches(&mut writing, &mut applied, [stop, &lapsed], redis, mysql) => ended,
            () = self.keep(&lapsed) => Ok(()),
        }
    }

    /// Keeps the lease; tells when it is lost, and ends with whoever is told.
    async fn keep(&self, lapsed: &CancellationToken) {
        loop {
            tokio::time::sleep(lease::RENEWAL).await;
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

    /// Batch after batch, until either of the two ends it; what is committed is told first.
    async fn batches(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        [stop, lapsed]: [&CancellationToken; 2],
        redis: &mut Outage,
        mysql: &mut Outage,
    ) -> Result<(), Ended> {
        let mut connection = waiting_connection(self.commands.client()).await?;
        tracing::info!("writing");
        let mut aside = SetAside::default();
        let mut settled = redis::pipe();
        let mut last = false;
        let mut turn = 0;
        while !last && !lapsed.is_cancelled() {
            last = stop.is_cancelled();
            let mut ready: Vec<_> = applied
                .iter()
                .filter(|(partition, _)| aside.is_ready(**partition))
                .map(|(partition, position)| (*partition, *position))
                .collect();
            if ready.is_empty() {
                // Everything is held back by others; there is nothing to read until one may be tried again.
                tokio::time::sleep(aside.next().min(WAIT)).await;
                continue;
            }
            // Another partition is the first each time, so that none is always the one that is cut off.
            turn += 1;
            let first = turn % ready.len();
            ready.rotate_left(first);
            // Told to stop, the writer takes once more what is there.
            let wait = (!last).then(|| aside.next().min(WAIT));
            let read = log::read(&mut connection, &self.prefix, &ready, wait);
            // The answers of the last batch go out while the next one is read.
            let (entries, sent) = tokio::join!(read, self.settle(&settled));
            settled = redis::pipe();
            sent?;
            let mut entries = entries?;
            redis.recovered();
            let cut = bound(&mut entries);
            ready.retain(|(partition, _)| !cut.contains(partition));
            let written = self.write(writing, applied, entries, &aside, &mut settled).await;
            let busy = match written {
                Ok(busy) => busy,
                Err(error) => {
                    // A part may have been committed before the failure, and its callers wait.
                    self.settle(&settled).await?;
                    return Err(error.into());
                }
            };
            mysql.recovered();
            aside.update(&ready, &busy);
        }
        Ok(self.settle(&settled).await?)
    }

    /// Applies what was read, as one transaction if possible; partitions that were set aside go alone, so that
    /// nobody waits with them. What others' locks hold back is returned, to be read again later.
    async fn write(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        entries: Vec<Logged>,
        aside: &SetAside,
        settled: &mut Pipeline,
    ) -> Result<Vec<Partition>, StoreError> {
        let (alone, joint): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|logged| aside.holds(logged.partition));
        let mut busy = Vec::new();
        if !joint.is_empty() {
            match self.commit(writing, applied, &joint, Locks::Wait, settled).await {
                Err(StoreError::Busy(_) | StoreError::Rejected(_)) => {
                    busy = self.each_partition(writing, applied, &joint, settled).await?;
                }
                done => done?,
            }
        }
        busy.extend(self.each_partition(writing, applied, &alone, settled).await?);
        Ok(busy)
    }

    /// Applies each partition as a transaction of its own, and waits for nobody's locks.
    async fn each_partition(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        entries: &[Logged],
        settled: &mut Pipeline,
    ) -> Result<Vec<Partition>, StoreError> {
        let mut busy = Vec::new();
        for own in entries.chunk_by(|one, next| one.partition == next.partition) {
            let Some(partition) = own.first().map(|logged| logged.partition) else { continue };
            match self.commit(writing, applied, own, Locks::Probe, settled).await {
                Ok(()) => {}
                Err(StoreError::Busy(error)) => {
                    tracing::debug!(%partition, error, "set aside");
                    busy.push(partition);
                }
                Err(StoreError::Rejected(_)) => {
                    if !self.one_by_one(writing, applied, own, settled).await? {
                        busy.push(partition);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(busy)
    }

    /// Applies entries each for itself and sets aside those that MySQL refuses. False if a lock held one
    /// back: those behind it wait, so that the order stays.
    async fn one_by_one(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        entries: &[Logged],
        settled: &mut Pipeline,
    ) -> Result<bool, StoreError> {
        for logged in entries {
            match self.commit(writing, applied, std::slice::from_ref(logged), Locks::Probe, settled).await {
                Ok(()) => {}
                Err(StoreError::Busy(_)) => return Ok(false),
                Err(StoreError::Rejected(error)) => {
                    self.bury(writing, applied, logged, &error, settled).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// One transaction, and what is to be told once it is committed.
    async fn commit(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        entries: &[Logged],
        locks: Locks,
        settled: &mut Pipeline,
    ) -> Result<(), StoreError> {
        if let Some(Err(error)) = entries.iter().map(|logged| logged.entry.as_ref()).find(Result::is_err) {
            return Err(StoreError::Rejected(error.to_string()));
        }
        let from = |partition| applied.get(&partition).copied().unwrap_or_default();
        let chosen: Vec<_> = entries.iter().filter_map(Logged::chosen).collect();
        let known = writing.known(&chosen).await?;
        let batch = Batch::plan(entries, from, self.count_unread, &known);
        let done = writing.apply(&batch, locks).await?;
        metrics::BATCHES.add(1);
        metrics::ENTRIES.add(entries.len() as u64);
        for step in &batch.moves {
            self.moved(applied, *step, settled);
        }
        self.tell(&batch, &done, settled);
        Ok(())
    }

    async fn bury(
        &self,
        writing: &mut Writing,
        applied: &mut BTreeMap<Partition, Position>,
        logged: &Logged,
        error: &str,
        settled: &mut Pipeline,
    ) -> Result<(), StoreError> {
        let partition = logged.partition;
        let from = applied.get(&partition).copied().unwrap_or_default();
        let step = Move { partition, from, to: logged.position };
        writing.bury(step, logged, error).await?;
        metrics::DEAD.add(1);
        tracing::error!(%partition, position = %logged.position, error, "entry refused, kept in chatpush_dead");
        self.moved(applied, step, settled);
        let refused = Reply::Refused(Refusal::Rejected(error.to_owned()));
        if let Ok(Entry::Message { id, receiver, .. }) = &logged.entry {
            // A repeated call gets the same answer for as long as it would have been taken for the first.
            let json = serde_json::to_string(&refused).unwrap_or_default();
            let seen = self.prefix.seen(*receiver, id);
            let remembered = if id.is_chosen() { CHOSEN_SEEN_TTL } else { SEEN_TTL };
            settled.cmd("SET").arg(seen).arg(json).arg("PX").arg(remembered.as_millis()).ignore();
        }
        let request = logged.fields.iter().find(|(field, _)| field == "q");
        if let Some((_, request)) = request {
            replies::answer(settled, &self.prefix, partition, &[(request, refused)]);
        }
        Ok(())
    }

    fn moved(&self, applied: &mut BTreeMap<Partition, Position>, step: Move, settled: &mut Pipeline) {
        applied.insert(step.partition, step.to);
        self.positions.advance(step.partition, step.to);
        log::trim(settled, &self.prefix, step.partition, step.to);
    }

    fn tell(&self, batch: &Batch<'_>, done: &Applied, settled: &mut Pipeline) {
        let mut by_partition: BTreeMap<Partition, Vec<(&str, Reply)>> = BTreeMap::new();
        for waiting in &batch.waiting {
            let reply = match waiting.outcome {
                Outcome::Stored { live } => Reply::Stored { live },
                Outcome::Cleared => Reply::Cleared,
                Outcome::Removed(ack) => Reply::Removed(done.removed.get(ack).copied().unwrap_or(0)),
            };
            by_partition.entry(waiting.partition).or_default().push((waiting.request, reply));
        }
        for (partition, answers) in by_partition {
            replies::answer(settled, &self.prefix, partition, &answers);
        }
        for (user, count) in &done.counters {
            replies::tell_unread(settled, &self.prefix, *user, *count);
        }
    }

    async fn settle(&self, settled: &Pipeline) -> Result<(), BusError> {
        if settled.is_empty() { Ok(()) } else { self.commands.send(settled).await }
    }
}
