//! Transactions of their own for partitions and entries that others must not wait for, and what becomes of an
//! entry that keeps failing.

use chatpush_wire::entry::Entry;
use chatpush_wire::partition::Partition;

use super::Term;
use super::splitting::Halving;
use crate::log::batch::LogEntry;
use crate::store::StoreError;
use crate::store::error::{Rejection, Treatment};
use crate::store::time_limit::ALONE_LIMIT;
use crate::store::writer_connection::Locks;
use crate::writer::deferred::Deferred;
use crate::writer::refusals::Verdict;

impl Term<'_> {
    /// Applies what was read, as one transaction if possible. Deferred and suspected partitions get
    /// transactions of their own. Returns the partitions that have to be read again later.
    ///
    /// # Errors
    ///
    /// Also if an entry met an error that others meet too, after each partition was tried.
    pub(super) async fn write(
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
    pub(super) async fn others_succeed(
        &mut self,
        logged: &LogEntry,
        error: &StoreError,
    ) -> Result<bool, StoreError> {
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
}
