//! One term as the writer: batch after batch, from acquiring the lease to losing it.

mod after_commit;
mod copies;
mod full;
mod forgetting;
mod splitting;
mod rescan;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chatpush_wire::entry::{self, Entry};
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::limit::SEEN_TTL;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Refusal, Reply};
use redis::Pipeline;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::after_commit::send;
use self::full::FullLetter;
use self::rescan::Rescan;
use self::splitting::Halving;
use super::deferred::Deferred;
use super::expiry::Expiry;
use super::mailboxes::Mailboxes;
use super::refusals::{Refusals, Verdict};
use super::refused_messages::RefusedMessages;
use super::sweeping::Sweeping;
use super::trimming::{TRIM_INTERVAL, Trimming};
use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::base::metrics;
use crate::broker::{BLOCK_TIMEOUT, BrokerError, blocking_connection, log, replies};
use crate::installation::{self, AgreementError};
use crate::log::batch::{Batch, Counting, Known, LogEntry, PositionUpdate, limit_size, separate_forgets};
use crate::log::position::Position;
use crate::services::Services;
use crate::store::apply::{ALONE_LIMIT, Applied, Inserts, Locks, WriterConnection};
use crate::store::error::{Rejection, Treatment};
use crate::store::{Store, StoreError};

/// How long every message is looked up after Redis may have lost some. A call is repeated before its own
/// timeout, so within [`SEEN_TTL`].
const LOOK_UP_TIME: Duration = SEEN_TTL.saturating_mul(2);

/// Most entries that the first read of a term takes from a partition. How long they are is not known yet.
const FIRST_ENTRIES_PER_READ: usize = 8;

/// Most entries that a read takes from a partition.
const ENTRIES_PER_READ: usize = 64;

/// A read beyond this size is followed by smaller ones.
const READ_BYTES: usize = 16 * 1024 * 1024;

/// Why a term failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TermError {
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    #[error(transparent)]
    Redis(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The state of a term.
#[derive(Debug)]
pub(super) struct Term<'a> {
    services: &'a Services,
    mysql: WriterConnection,
    /// The position of each partition.
    applied: BTreeMap<Partition, Position>,
    /// Commands that follow the commits: replies, counters, trimming. They are sent while the next batch is
    /// read.
    after_commit: Pipeline,
    trimming: Trimming,
    /// The search for messages that only count as applied.
    rescan: Rescan,
    sweeping: Sweeping,
    expiry: Expiry,
    mailboxes: Mailboxes,
    refusals: &'a mut Refusals,
    /// An error of this batch that others of its kind meet too, if there was one.
    general: Option<StoreError>,
    refused_messages: RefusedMessages,
    /// The last messages for which there was no room, and that are kept nowhere.
    full_mailboxes: RefusedMessages,
    /// Until when every message is looked up, not only those whose id a sender has chosen: Redis may have
    /// forgotten that it accepted them.
    look_up_all_until: Option<Instant>,
    /// Which Redis process the log is read from.
    run_id: Option<String>,
    /// Whether MySQL knows it. While messages are looked up it does not: the next term has to go on with
    /// that.
    is_run_id_recorded: bool,
    /// Most entries that the next read takes from a partition.
    entries_per_read: usize,
    /// Whether Redis has refused to trim the logs in this term.
    refused: bool,
}

impl<'a> Term<'a> {
    /// Opens the writer's connection, which ends that of the last writer, and repairs the logs.
    pub(super) async fn begin(
        services: &'a Services,
        store: &Store,
        refusals: &'a mut Refusals,
    ) -> Result<Self, TermError> {
        let keeps = (!services.config.failover_memory.is_zero(), services.config.receipts);
        let (mut mysql, installation) = WriterConnection::open(store, keeps).await?;
        installation::same(services, &installation.uuid).await?;
        // Another connection may lead to another server, which is behind or was the primary before.
        let found = mysql.positions().await?;
        let mut lost = log::repair(&services.commands, &services.prefix, &found).await?;
        // Another process may have fewer entries than the last one, even if no log is behind its position.
        let run_id = services.commands.run_id().await?;
        let is_other = run_id != installation.redis_run_id;
        let last_run_id = installation.redis_run_id.filter(|_| is_other);
        lost |= last_run_id.is_some();
        services.positions.reset(&found);
        let partitions = found.iter().map(|(partition, _)| *partition);
        let rescan = last_run_id.map(|run_id| Rescan::new(partitions, run_id)).unwrap_or_default();
        let searched = |partition: &Partition| rescan.contains(*partition);
        // What is searched is trimmed later.
        let trimming = Trimming::new(found.iter().filter(|(partition, _)| !searched(partition)).copied());
        Ok(Self {
            services,
            mysql,
            applied: found.into_iter().collect(),
            after_commit: redis::pipe(),
            trimming,
            rescan,
            sweeping: Sweeping::new(services.config.failover_memory),
            expiry: Expiry::new(services.config.mailbox.max_age),
            mailboxes: Mailboxes::new(services.config.mailbox.max_messages),
            refusals,
            general: None,
            refused_messages: RefusedMessages::default(),
            full_mailboxes: RefusedMessages::default(),
            look_up_all_until: lost.then(|| Instant::now() + LOOK_UP_TIME),
            run_id,
            is_run_id_recorded: !is_other,
            entries_per_read: FIRST_ENTRIES_PER_READ,
            refused: false,
        })
    }

    /// Applies batch after batch until `stop` or `lapsed`. Replies for what was committed are sent before it
    /// returns.
    pub(super) async fn batches(
        &mut self,
        [stop, lapsed]: [&CancellationToken; 2],
        redis: &mut Backoff,
        mysql: &mut Backoff,
    ) -> Result<(), TermError> {
        let mut connection = blocking_connection(self.services.commands.connector()).await?;
        metrics::TERMS.add(1);
        tracing::info!("became the writer");
        let mut deferred = Deferred::default();
        let mut last = false;
        let mut turn = 0;
        while !last && !lapsed.is_cancelled() {
            last = stop.is_cancelled();
            turn += 1;
            if let Err(error) = self.trim().await {
                self.send_after_commit().await?;
                return Err(error.into());
            }
            let wait = deferred.next().min(BLOCK_TIMEOUT).min(self.trimming.next().unwrap_or(BLOCK_TIMEOUT));
            let mut ready = self.ready_partitions(&deferred, turn);
            if ready.is_empty() {
                // Every partition is deferred.
                self.send_after_commit().await?;
                tokio::time::sleep(wait).await;
                continue;
            }
            // The last read does not wait.
            let wait = (!last).then_some(wait);
            let names = (&self.services.prefix, self.services.config.user_id_type);
            let read = log::read(&mut connection, names, &ready, self.entries_per_read, wait);
            // The replies of the last batch are sent while the next one is read.
            let commands = std::mem::take(&mut self.after_commit);
            let (entries, sent) = tokio::join!(read, send(self.services, &commands));
            self.after_sending(sent)?;
            let mut entries = entries?;
            redis.recovered();
            self.entries_per_read = next_entries_per_read(self.entries_per_read, &entries);
            let mut ends: BTreeMap<_, _> = ready.iter().map(|(partition, _)| (*partition, None)).collect();
            ends.extend(entries.iter().map(|logged| (logged.partition, Some(logged.position))));
            entries.retain(|logged| self.rescan.wants(logged, self.position(logged.partition)));
            let mut cut = limit_size(&mut entries);
            cut.extend(separate_forgets(&mut entries));
            match self.forget_in_steps(&mut entries).await {
                Ok(unfinished) => cut.extend(unfinished),
                Err(error) => {
                    self.send_after_commit().await?;
                    return Err(error.into());
                }
            }
            ready.retain(|(partition, _)| !cut.contains(partition));
            for partition in cut {
                ends.remove(&partition);
                let kept = entries.iter().rfind(|logged| logged.partition == partition);
                ends.extend(kept.map(|logged| (partition, Some(logged.position))));
            }
            let written = match self.write(entries, &deferred).await {
                Ok(busy) => self.tidy().await.map(|()| busy),
                Err(error) => Err(error),
            };
            let busy = match written {
                Ok(busy) => busy,
                Err(error) => {
                    // Some partitions may have been committed before the error, and their callers wait.
                    self.send_after_commit().await?;
                    return Err(error.into());
                }
            };
            mysql.recovered();
            ends.retain(|partition, _| !busy.contains(partition));
            self.searched(&ends);
            deferred.update(&ready, &busy);
        }
        Ok(self.send_after_commit().await?)
    }

    /// Records up to where each of these logs was read and written; none if nothing was left in it.
    fn searched(&mut self, ends: &BTreeMap<Partition, Option<Position>>) {
        for (partition, end) in ends {
            let applied = self.position(*partition);
            if self.rescan.reach(*partition, *end, applied) {
                self.trimming.add(*partition, applied, 0, 0);
            }
        }
    }

    /// Removes entries that were applied some time ago. If MySQL has crashed since then, it may have lost them
    /// again, and the next term needs them.
    async fn trim(&mut self) -> Result<(), StoreError> {
        // A busy connection is not asked.
        let age = if self.trimming.is_due() { TRIM_INTERVAL } else { Duration::MAX };
        let answered = self.mysql.answered_within(age).await?;
        self.trimming.trim(answered, &mut self.after_commit, &self.services.prefix);
        Ok(())
    }

    /// What is not urgent: the removal of old rows in chatpush's own tables, and the id of the Redis process.
    async fn tidy(&mut self) -> Result<(), StoreError> {
        if !self.is_run_id_recorded && !self.looks_up_all() {
            self.mysql.record_run_id(self.run_id.as_deref()).await?;
            self.is_run_id_recorded = true;
        }
        self.expire().await?;
        self.sweeping.step_if_due(&mut self.mysql).await
    }

    /// The partitions that may be read now, and after which entry. They are rotated each turn: the limit of a
    /// batch cuts off the last ones.
    fn ready_partitions(&self, deferred: &Deferred, turn: usize) -> Vec<(Partition, Position)> {
        let free = self.applied.iter().filter(|(partition, _)| deferred.is_ready(**partition));
        let mut ready: Vec<_> = free
            .map(|(partition, applied)| (*partition, self.rescan.reached(*partition, *applied)))
            .collect();
        let first = turn.checked_rem(ready.len()).unwrap_or(0);
        ready.rotate_left(first);
        ready
    }

    /// Applies what was read, as one transaction if possible. Deferred and suspected partitions get
    /// transactions of their own. Returns the partitions that have to be read again later.
    ///
    /// # Errors
    ///
    /// Also if an entry met an error that others meet too, after each partition was tried.
    async fn write(
        &mut self,
        entries: Vec<LogEntry>,
        deferred: &Deferred,
    ) -> Result<Vec<Partition>, StoreError> {
        let (mut alone, joint): (Vec<_>, Vec<_>) = entries.into_iter().partition(|logged| {
            deferred.contains(logged.partition) || self.refusals.suspects(logged.partition)
        });
        alone.sort_by_key(|logged| self.refusals.is_stuck(logged.partition));
        let mut busy = Vec::new();
        if !joint.is_empty() {
            match self.commit(&joint, Locks::Wait).await {
                Err(error) if error.concerns_entries() => {
                    busy = self.each_partition(&joint, deferred).await?;
                }
                done => done?,
            }
        }
        busy.extend(self.each_partition(&alone, deferred).await?);
        match self.general.take() {
            Some(error) => Err(error),
            None => Ok(busy),
        }
    }

    /// Applies each partition as a transaction of its own, without waiting for locks. Returns the locked
    /// ones.
    async fn each_partition(
        &mut self,
        entries: &[LogEntry],
        deferred: &Deferred,
    ) -> Result<Vec<Partition>, StoreError> {
        let mut busy = Vec::new();
        for own in entries.chunk_by(|one, next| one.partition == next.partition) {
            let Some(partition) = own.first().map(|logged| logged.partition) else { continue };
            if self.refusals.suspects(partition) {
                if !self.one_by_one(own, None).await? {
                    busy.push(partition);
                }
                continue;
            }
            let error = match self.commit(own, Locks::NoWait).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            // A conflict may pass. If it does not, one of the entries is the reason.
            let is_passing = error.is_transient() && !deferred.contains(partition);
            if error.is_locked() || is_passing {
                tracing::debug!(%partition, %error, "deferred");
                busy.push(partition);
            } else if error.concerns_entries() {
                if !self.one_by_one(own, Some(error)).await? {
                    busy.push(partition);
                }
            } else {
                return Err(error);
            }
        }
        Ok(busy)
    }

    /// Applies each entry as a transaction of its own; those that MySQL refuses become dead letters. False at
    /// the first entry that has to be tried again: those after it have to wait, to keep the order. All
    /// together have met `error`.
    async fn one_by_one(
        &mut self,
        entries: &[LogEntry],
        error: Option<StoreError>,
    ) -> Result<bool, StoreError> {
        // A single one has been tried alone.
        let mut first = error.filter(|_| entries.len() == 1);
        for logged in entries {
            if !self.one(logged, first.take()).await? {
                return Ok(false);
            }
        }
        if let Some(logged) = entries.first() {
            self.refusals.applied(logged.partition);
        }
        Ok(true)
    }

    /// Applies or gives up an entry, which has met `error` alone if that is set. False if it has to be tried
    /// again.
    async fn one(&mut self, logged: &LogEntry, error: Option<StoreError>) -> Result<bool, StoreError> {
        if let Some(tries) = self.refusals.stuck_tries(logged) {
            // Another try would end the term once more.
            let error = StoreError::Slow(ALONE_LIMIT);
            return Ok(
                self.others_succeed(logged, &error).await? && self.give_up(logged, &error, tries).await?
            );
        }
        let error = match error {
            Some(error) => error,
            None => match self.commit(std::slice::from_ref(logged), Locks::NoWait).await {
                Ok(()) => return Ok(true),
                Err(error) => error,
            },
        };
        if let StoreError::Rejected(rejection) = &error {
            return self.refuse(logged, rejection, Halving::AfterRejection).await;
        }
        let (treatment, code) = (error.treatment(), error.code());
        if treatment == Treatment::End {
            return Err(error);
        }
        let verdict = self.refusals.refused(logged.partition, logged.position, code.unwrap_or(0), treatment);
        // The account, or the server as a whole: as a rule all others meet it too.
        let is_general = matches!(error, StoreError::Denied(_) | StoreError::Unavailable(_));
        if (verdict == Verdict::TryAgain && !is_general) || !self.others_succeed(logged, &error).await? {
            return Ok(false);
        }
        let Verdict::GiveUp(tries) = verdict else { return Ok(false) };
        // What all met may have passed just now.
        match self.commit(std::slice::from_ref(logged), Locks::NoWait).await {
            Ok(()) => Ok(true),
            Err(again) if again.treatment() == Treatment::End => Err(again),
            Err(again) if again.code() != code => Ok(false),
            Err(again) => self.give_up(logged, &again, tries.saturating_add(1)).await,
        }
    }

    /// Whether others of its kind succeed where an entry meets this error. Only then it is the reason. If
    /// not, the error is kept: it ends the term.
    async fn others_succeed(&mut self, logged: &LogEntry, error: &StoreError) -> Result<bool, StoreError> {
        let Ok(entry) = &logged.entry else { return Ok(true) };
        // A row of another user, or a shorter one, may find room where this one does not. And a server that
        // is only slow finishes some.
        let anyone = !error.lacks_resource();
        let shown = anyone && error.treatment() != Treatment::SuspectSlow;
        if shown && self.refusals.others_succeeded(logged.partition, entry) {
            return Ok(true);
        }
        match self.mysql.probe(entry, self.counting(), anyone).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_locked() => Ok(false),
            Err(error) if error.concerns_entries() => {
                self.general.get_or_insert(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Sets an entry aside whose error only it meets. False if that has to be tried again.
    async fn give_up(
        &mut self,
        logged: &LogEntry,
        error: &StoreError,
        tries: u32,
    ) -> Result<bool, StoreError> {
        let is_slow = error.treatment() == Treatment::SuspectSlow;
        let halving = if is_slow { Halving::Never } else { Halving::AfterTries(error.code()) };
        let rejection = Rejection::Repeated(error.reason(), tries);
        let done = self.refuse(logged, &rejection, halving).await?;
        if done {
            self.refusals.given_up(logged.partition, error.code().unwrap_or(0));
        }
        Ok(done)
    }

    /// Sets an entry aside that MySQL refuses. False if that has to be tried again.
    async fn refuse(
        &mut self,
        logged: &LogEntry,
        rejection: &Rejection,
        halving: Halving,
    ) -> Result<bool, StoreError> {
        if let Ok(Entry::MessageToMany { .. }) = logged.entry {
            return self.split(logged, rejection, halving).await;
        }
        self.dead_letter(logged, rejection).await.map(|()| true)
    }

    /// Commits one transaction and queues its replies.
    async fn commit(&mut self, entries: &[LogEntry], locks: Locks) -> Result<(), StoreError> {
        if let Some(Err(error)) = entries.iter().map(|logged| logged.entry.as_ref()).find(Result::is_err) {
            return Err(StoreError::Rejected(Rejection::Malformed(error.clone())));
        }
        let done = match self.try_commit(entries, locks, self.looks_up_all(), Inserts::Together).await {
            Err(StoreError::Unrecorded) => self.try_commit(entries, locks, true, Inserts::OneByOne).await,
            done => done,
        };
        match &done {
            Ok(()) => self.refusals.committed(entries),
            Err(error) if error.is_stuck() => self.refusals.stuck(entries),
            Err(_) => {}
        }
        done
    }

    /// What is counted as unread.
    fn counting(&self) -> Counting {
        let config = &self.services.config;
        match &config.mysql {
            _ if !config.count_unread => Counting::Off,
            Some(mysql) if mysql.names.unread_by_conversation => Counting::ByConversation,
            _ => Counting::Total,
        }
    }

    /// Whether every message is looked up now.
    fn looks_up_all(&self) -> bool {
        !self.rescan.is_done() || self.look_up_all_until.is_some_and(|until| Instant::now() < until)
    }

    async fn try_commit(
        &mut self,
        entries: &[LogEntry],
        locks: Locks,
        look_up_all: bool,
        inserts: Inserts,
    ) -> Result<(), StoreError> {
        let stored = self.stored(entries, look_up_all).await?;
        let room = self.mailboxes.room(&mut self.mysql, entries).await?;
        let known = Known { stored, room };
        let batch = self.plan(entries, &known);
        let letters = self.prepare_full(entries, &batch).await;
        let borrowed: Vec<_> = letters.iter().map(FullLetter::borrow).collect();
        let done = self.mysql.apply(&batch, locks, inserts, &borrowed).await?;
        self.refuse_full(&batch, &letters);
        self.committed(entries, &batch, &known.stored, &done);
        self.mailboxes.committed(&batch);
        Ok(())
    }

    fn plan<'e>(&self, entries: &'e [LogEntry], known: &Known) -> Batch<'e> {
        let is_history = self.services.config.mysql.as_ref().is_some_and(|mysql| mysql.history.is_some());
        let counting = (self.counting(), is_history);
        let mut batch = Batch::plan(entries, |partition| self.position(partition), counting, known);
        if fault_injection::breaks(Promise::Receivers) {
            // The second of many.
            let second =
                (1..batch.inserts.len()).find(|at| batch.inserts[*at].id == batch.inserts[at - 1].id);
            if let Some(at) = second {
                batch.inserts.remove(at);
            }
        }
        batch
    }

    /// Which of the messages are stored. Those of a repeated call are looked up too: it is answered that its
    /// message is stored if it is, whatever was refused before.
    async fn stored(
        &mut self,
        entries: &[LogEntry],
        look_up_all: bool,
    ) -> Result<HashSet<(UserId, MessageId)>, StoreError> {
        let messages = entries.iter().flat_map(|logged| logged.messages().chain(logged.repeated()));
        let wanted: Vec<_> = messages.filter(|(_, id)| look_up_all || id.is_chosen()).collect();
        let stored = self.mysql.stored(&wanted).await?;
        if entries.iter().any(|logged| logged.repeated().next().is_some()) {
            self.refused_messages.load(&mut self.mysql).await?;
        }
        Ok(stored)
    }

    /// Records that these entries are applied, and queues the replies.
    fn committed(
        &mut self,
        entries: &[LogEntry],
        batch: &Batch<'_>,
        stored: &HashSet<(UserId, MessageId)>,
        done: &Applied,
    ) {
        metrics::BATCHES.add(1);
        metrics::ENTRIES.add(entries.len() as u64);
        for update in &batch.positions {
            let own = entries.iter().filter(|logged| logged.partition == update.partition);
            let (count, bytes) =
                own.fold((0, 0), |(count, bytes), logged| (count + 1, bytes + logged.bytes()));
            self.advance(*update, count, bytes);
        }
        for (receiver, id) in entries.iter().flat_map(LogEntry::messages) {
            if batch.full.iter().all(|full| (full.receiver, full.id) != (receiver, id)) {
                self.refused_messages.stored(receiver, id);
                self.full_mailboxes.stored(receiver, id);
            }
        }
        if !self.rescan.is_done() {
            self.queue_rescued(batch);
        }
        self.queue_replies(batch, done);
        if batch.full.is_empty() {
            self.queue_copies(entries, batch, stored, done);
        } else {
            let full = batch.full.iter().map(|full| (full.receiver.clone(), full.id.clone()));
            let without = stored.iter().cloned().chain(full).collect();
            self.queue_copies(entries, batch, &without, done);
        }
    }

    async fn dead_letter(&mut self, logged: &LogEntry, rejection: &Rejection) -> Result<(), StoreError> {
        let error = rejection.to_string();
        let partition = logged.partition;
        let from = self.position(partition);
        let update = PositionUpdate { partition, from, to: logged.position.max(from) };
        self.mysql.dead_letter(update, logged, &error).await?;
        metrics::DEAD.add(1);
        let position = logged.position;
        tracing::error!(%partition, %position, error, "entry refused, kept in chatpush_dead");
        self.advance(update, 1, logged.bytes());
        let refused = Reply::Refused(Refusal::Rejected(error.clone()));
        let Services { prefix, config, .. } = self.services;
        let message = entry::message(&logged.fields, config.user_id_type);
        for (receiver, id) in message.iter().flat_map(|(users, id)| users.iter().map(move |user| (user, id)))
        {
            self.refused_messages.add((receiver.clone(), id.clone()), error.clone());
            self.queue_refusal(receiver, id, &refused);
            // Clients that were connected have been shown it.
            replies::publish_recall(&mut self.after_commit, prefix, receiver, std::slice::from_ref(id));
        }
        if let Some(reply_to) = entry::reply_to(&logged.fields) {
            self.queue_reply(partition, reply_to, &refused);
        }
        Ok(())
    }

    fn position(&self, partition: Partition) -> Position {
        self.applied.get(&partition).copied().unwrap_or_default()
    }

    fn advance(&mut self, update: PositionUpdate, entries: usize, bytes: usize) {
        self.applied.insert(update.partition, update.to);
        self.services.positions.advance(update.partition, update.to);
        // What does not move the position is in a log that is still searched.
        if update.to > update.from {
            self.trimming.add(update.partition, update.to, entries, bytes);
        }
    }
}

/// How many entries the next read takes, so that it has about [`READ_BYTES`] at most.
fn next_entries_per_read(count: usize, read: &[LogEntry]) -> usize {
    let bytes: usize = read.iter().map(LogEntry::bytes).sum();
    if bytes <= READ_BYTES / 4 {
        (count * 2).min(ENTRIES_PER_READ)
    } else if bytes > READ_BYTES {
        (count / 2).max(1)
    } else {
        count
    }
}
