//! One term as the writer: batch after batch, from acquiring the lease to losing it.

mod after_commit;
mod copies;
mod isolation;
mod reading;
mod replication;
mod full;
mod forgetting;
mod last_counters;
mod splitting;
mod rescan;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use chatpush_wire::entry;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::limit::SEEN_TTL;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Refusal, Reply};
use redis::Pipeline;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::after_commit::send;
use self::full::FullLetter;
use self::reading::{FIRST_ENTRIES_PER_READ, next_entries_per_read};
use self::rescan::Rescan;
use super::deferred::Deferred;
use super::expiry::Expiry;
use super::mailboxes::Mailboxes;
use super::refusals::Refusals;
use super::refused_messages::RefusedMessages;
use super::sweeping::Sweeping;
use super::trimming::{TRIM_INTERVAL, Trimming};
use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::base::{message_log, metrics};
use crate::broker::log_reader::{LogRead, LogReader};
use crate::broker::{BLOCK_TIMEOUT, BrokerError, log, replies};
use crate::installation::{self, AgreementError};
use crate::log::batch::{Batch, Counting, Known, LogEntry, PositionUpdate, limit_size, separate_forgets};
use crate::log::position::Position;
use crate::services::Services;
use crate::store::apply::{Applied, Inserts};
use crate::store::error::Rejection;
use crate::store::writer_connection::{KEEP_ALIVE, Locks, WriterConnection};
use crate::store::{Store, StoreError};

/// How long every message is looked up after Redis may have lost some. A call is repeated before its own
/// timeout, so within [`SEEN_TTL`].
const LOOK_UP_TIME: Duration = SEEN_TTL.saturating_mul(2);

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
        mysql.prepare_parts().await?;
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
        [redis, mysql, replicas]: [&mut Backoff; 3],
    ) -> Result<(), TermError> {
        let Services { commands, prefix, config, .. } = self.services;
        let mut logs = LogReader::open(commands, prefix, config.user_id_type, config.replicas).await?;
        metrics::TERMS.inc();
        // In an outage each try is a term: it is news once MySQL has taken a batch.
        let mut is_news = mysql.is_failing();
        if !is_news {
            tracing::info!("became the writer");
        }
        self.queue_last_counters().await?;
        self.add_last_unread().await?;
        let mut deferred = Deferred::default();
        let mut unreplicated = Deferred::default();
        let mut last = false;
        let mut turn = 0;
        while !last && !lapsed.is_cancelled() {
            last = stop.is_cancelled();
            turn += 1;
            if let Err(error) = self.trim().await {
                self.send_after_commit().await?;
                return Err(error.into());
            }
            let wait = deferred.next().min(unreplicated.next()).min(BLOCK_TIMEOUT);
            let wait = wait.min(self.trimming.next().unwrap_or(BLOCK_TIMEOUT));
            let mut ready = self.ready_partitions([&deferred, &unreplicated], turn);
            if ready.is_empty() {
                // Every partition is deferred.
                self.send_after_commit().await?;
                tokio::time::sleep(wait).await;
                continue;
            }
            // The last read does not wait.
            let wait = (!last).then_some(wait);
            let read = logs.read(&ready, self.entries_per_read, wait);
            // The replies of the last batch are sent while the next one is read.
            let commands = std::mem::take(&mut self.after_commit);
            let (read, sent) = tokio::join!(read, send(self.services, &commands));
            self.after_sending(sent)?;
            let LogRead { mut entries, answered } = read?;
            redis.recovered();
            ready.retain(|(partition, _)| answered.contains(*partition));
            self.entries_per_read = next_entries_per_read(self.entries_per_read, &entries);
            let mut ends: BTreeMap<_, _> = ready.iter().map(|(partition, _)| (*partition, None)).collect();
            ends.extend(entries.iter().map(|logged| (logged.partition, Some(logged.position))));
            entries.retain(|logged| self.rescan.wants(logged, self.position(logged.partition)));
            let late = self.unreplicated(&mut logs, &entries, replicas).await?;
            entries.retain(|logged| !late.contains(&logged.partition));
            ends.retain(|partition, _| !late.contains(partition));
            unreplicated.update(&ready, &late);
            ready.retain(|(partition, _)| !late.contains(partition));
            if unreplicated.is_empty() {
                self.services.replicas_error.clear();
                replicas.recovered();
            }
            note_accepted(&entries);
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
            self.services.writer_error.clear();
            if std::mem::take(&mut is_news) {
                tracing::info!("became the writer");
            }
            ends.retain(|partition, _| !busy.contains(partition));
            self.searched(&ends);
            deferred.update(&ready, &busy);
        }
        Ok(self.send_after_commit().await?)
    }

    /// Removes entries that were applied some time ago. If MySQL has crashed since then, it may have lost them
    /// again, and the next term needs them.
    async fn trim(&mut self) -> Result<(), StoreError> {
        // A busy connection is not asked.
        let age = if self.trimming.is_due() { TRIM_INTERVAL } else { KEEP_ALIVE };
        let answered = self.mysql.answered_within(age).await?;
        let unnoted = self.services.newly_unread.since();
        self.trimming.trim(answered, unnoted, &mut self.after_commit, &self.services.prefix);
        Ok(())
    }

    /// What is not urgent: the removal of old rows in chatpush's own tables, and the id of the Redis process.
    async fn tidy(&mut self) -> Result<(), StoreError> {
        if !self.is_run_id_recorded && !self.looks_up_all() {
            self.mysql.record_run_id(self.run_id.as_deref()).await?;
            self.is_run_id_recorded = true;
        }
        self.expire().await?;
        let positions = &self.applied;
        let applied = |user: &UserId| positions.get(&Partition::of(user)).copied().unwrap_or_default();
        self.sweeping.step_if_due(&mut self.mysql, applied).await
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
        let mut known = self.known(entries, look_up_all).await?;
        known.room = self.mailboxes.room(&mut self.mysql, entries).await?;
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

    /// Which of the messages are stored, and which were recalled. Those of a repeated call are looked up too: it is answered that its
    /// message is stored if it is, whatever was refused before.
    async fn known(&mut self, entries: &[LogEntry], look_up_all: bool) -> Result<Known, StoreError> {
        let messages = entries.iter().flat_map(|logged| logged.messages().chain(logged.repeated()));
        let wanted: Vec<_> = messages.filter(|(_, id)| look_up_all || id.is_chosen()).collect();
        let known = self.mysql.known(&wanted).await?;
        if entries.iter().any(|logged| logged.repeated().next().is_some()) {
            self.refused_messages.load(&mut self.mysql).await?;
        }
        Ok(known)
    }

    /// Records that these entries are applied, and queues the replies.
    fn committed(
        &mut self,
        entries: &[LogEntry],
        batch: &Batch<'_>,
        stored: &HashSet<(UserId, MessageId)>,
        done: &Applied,
    ) {
        metrics::BATCHES.inc();
        metrics::ENTRIES.inc_by(entries.len() as u64);
        self.observe(entries, batch);
        if self.notes_unread() {
            self.services.newly_unread.add(batch);
        }
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
        for (receiver, id) in &batch.shown_again {
            let prefix = &self.services.prefix;
            replies::publish_recall(&mut self.after_commit, prefix, receiver, std::slice::from_ref(id));
        }
        if batch.full.is_empty() {
            self.queue_copies(entries, batch, stored, done);
        } else {
            let full = batch.full.iter().map(|full| (full.receiver.clone(), full.id.clone()));
            let without = stored.iter().cloned().chain(full).collect();
            self.queue_copies(entries, batch, &without, done);
        }
    }

    /// Counts what was committed, and how long it took since Redis accepted it.
    fn observe(&self, entries: &[LogEntry], batch: &Batch<'_>) {
        metrics::MESSAGES.stored.inc_by(batch.inserts.len() as u64);
        for insert in &batch.inserts {
            message_log::stored(insert.id, insert.receiver);
        }
        let now = self.services.redis_clock.now();
        for logged in entries.iter().filter(|logged| logged.messages().next().is_some()) {
            let waited = now.saturating_sub(logged.position.time_ms());
            metrics::STORE_DURATION.observe(Duration::from_millis(waited));
        }
    }

    async fn dead_letter(&mut self, logged: &LogEntry, rejection: &Rejection) -> Result<(), StoreError> {
        let error = rejection.to_string();
        let partition = logged.partition;
        let from = self.position(partition);
        let update = PositionUpdate { partition, from, to: logged.position.max(from) };
        self.mysql.dead_letter(update, logged, &error).await?;
        metrics::DEAD.inc();
        let position = logged.position;
        tracing::error!(%partition, %position, error, "entry refused, kept in chatpush_dead");
        self.advance(update, 1, logged.bytes());
        let refused = Reply::Refused(Refusal::Rejected(error.clone()));
        let Services { prefix, config, .. } = self.services;
        let message = entry::message(&logged.fields, config.user_id_type);
        for (receiver, id) in message.iter().flat_map(|(users, id)| users.iter().map(move |user| (user, id)))
        {
            metrics::MESSAGES.refused.inc();
            message_log::refused(id, receiver, &error);
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

/// Logs the messages that were read.
fn note_accepted(entries: &[LogEntry]) {
    if message_log::is_on() {
        for (user, id) in entries.iter().flat_map(LogEntry::messages) {
            message_log::accepted(id, user);
        }
    }
}
