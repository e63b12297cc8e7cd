//! An entry with many receivers, of which MySQL refuses some: the messages of the others are stored.

use chatpush_wire::entry::{Addressee, Entry};
use chatpush_wire::new_entry;
use chatpush_wire::reply::{Each, Refusal, Reply};

use super::Term;
use crate::base::{message_log, metrics};
use crate::broker::replies;
use crate::log::batch::{Batch, Known, LogEntry, Outcome};
use crate::store::StoreError;
use crate::store::apply::{Inserts, NewDeadLetter};
use crate::store::error::{Rejection, Treatment};
use crate::store::writer_connection::Locks;
use crate::writer::refusals::Verdict;

/// A receiver whose message MySQL refuses, and the error.
type Refused = (Addressee, String);

/// Whether those who are refused are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halving {
    /// The data was refused. Any other error may pass, and says nothing of a receiver.
    AfterRejection,
    /// The entry has met an error again and again, with this code if it has one.
    AfterTries(Option<u16>),
    /// Each try takes seconds, and everybody waits: all are refused.
    Never,
}

impl Term<'_> {
    /// Applies an entry that MySQL refuses as a whole. Who is refused is found by halving, in transactions that
    /// are taken back; then one transaction stores the others' messages and a dead letter for each refused one.
    /// False if the entry has to be tried again.
    pub(super) async fn split(
        &mut self,
        logged: &LogEntry,
        rejection: &Rejection,
        halving: Halving,
    ) -> Result<bool, StoreError> {
        let Ok(Entry::MessageToMany { receivers, id, .. }) = &logged.entry else { return Ok(false) };
        // The limit of a mailbox does not count here: whoever has room for some of them must not be told apart.
        let known = self.known(std::slice::from_ref(logged), true).await?;
        // Nothing is refused of what is in MySQL already.
        let is_new = |receiver: &&Addressee| {
            !receiver.repeated && !known.stored.contains(&(receiver.user.clone(), id.clone()))
        };
        let new: Vec<_> = receivers.iter().filter(is_new).cloned().collect();
        let error = rejection.to_string();
        if halving != Halving::Never {
            let refused = self.refused(logged, &new, error.clone(), halving, &known).await?;
            let Some(refused) = refused else { return Ok(false) };
            match self.apply_without(logged, &refused, &known).await {
                Ok(()) => return Ok(true),
                Err(error) if !error.concerns_entries() => return Err(error),
                // Each is accepted alone, but not together with the others.
                Err(error) => {
                    if !self.is_telling(logged, &error, halving).await? {
                        return Ok(false);
                    }
                }
            }
        }
        let refused: Vec<_> = new.into_iter().map(|receiver| (receiver, error.clone())).collect();
        self.apply_without(logged, &refused, &known).await.map(|()| true)
    }

    /// Whether an error that the entry meets for some of its receivers says that MySQL refuses one of them. One
    /// that may pass does only if it does not pass, and others succeed.
    async fn is_telling(
        &mut self,
        logged: &LogEntry,
        error: &StoreError,
        halving: Halving,
    ) -> Result<bool, StoreError> {
        let treatment = error.treatment();
        let known = match halving {
            _ if matches!(error, StoreError::Rejected(_)) => true,
            // It has met this one often enough, and others succeed.
            Halving::AfterTries(code) => code.is_some() && error.code() == code,
            Halving::AfterRejection | Halving::Never => false,
        };
        if known {
            return Ok(true);
        }
        let verdict = self.refusals.part_refused(logged.partition, logged.position, treatment);
        Ok(verdict != Verdict::TryAgain && self.others_succeed(logged, error).await?)
    }

    /// Those of the receivers whose messages MySQL refuses. None: that cannot be found out now.
    async fn refused(
        &mut self,
        logged: &LogEntry,
        all: &[Addressee],
        error: String,
        halving: Halving,
        known: &Known,
    ) -> Result<Option<Vec<Refused>>, StoreError> {
        let mut refused = Vec::new();
        // Parts that are refused, each with the error.
        let mut parts = vec![(all, error)];
        while let Some((part, error)) = parts.pop() {
            if let [receiver] = part {
                refused.push((receiver.clone(), error));
                continue;
            }
            let (first, second) = part.split_at(part.len() / 2);
            for half in [second, first].into_iter().filter(|half| !half.is_empty()) {
                let Err(error) = self.rehearse(logged, half, known).await else { continue };
                if !error.concerns_entries() {
                    return Err(error);
                }
                if !self.is_telling(logged, &error, halving).await? {
                    return Ok(None);
                }
                if error.treatment() == Treatment::SuspectSlow {
                    // It takes seconds to find out more.
                    refused.extend(half.iter().map(|receiver| (receiver.clone(), error.to_string())));
                } else {
                    parts.push((half, error.to_string()));
                }
            }
        }
        Ok(Some(refused))
    }

    async fn rehearse(
        &mut self,
        logged: &LogEntry,
        receivers: &[Addressee],
        known: &Known,
    ) -> Result<(), StoreError> {
        let part = [for_receivers(logged, receivers)];
        let batch = self.plan(&part, known);
        let done = self.mysql.rehearse(&batch).await;
        self.note_stuck(logged, &done);
        done
    }

    /// An entry that cannot be ended for some of its receivers cannot be ended as a whole either.
    fn note_stuck<T>(&mut self, logged: &LogEntry, done: &Result<T, StoreError>) {
        if done.as_ref().is_err_and(StoreError::is_stuck) {
            self.refusals.stuck(std::slice::from_ref(logged));
        }
    }

    /// Stores the messages of those who are not refused, and a dead letter for each who is.
    async fn apply_without(
        &mut self,
        logged: &LogEntry,
        refused: &[Refused],
        known: &Known,
    ) -> Result<(), StoreError> {
        let Ok(Entry::MessageToMany { receivers, id, reply_to, .. }) = &logged.entry else { return Ok(()) };
        let is_refused = |receiver: &Addressee| refused.iter().find(|(other, _)| other.user == receiver.user);
        let others = receivers.iter().filter(|receiver| receiver.repeated || is_refused(receiver).is_none());
        let part = [for_receivers(logged, &others.cloned().collect::<Vec<_>>())];
        let batch = self.plan(&part, known);
        let entries = refused.iter().map(|(receiver, _)| new_entry::fields_of_one(&logged.fields, receiver));
        let entries: Vec<_> = entries.collect();
        let (partition, position) = (logged.partition, logged.position);
        let letters = entries.iter().zip(refused);
        let letters =
            letters.map(|(fields, (_, error))| NewDeadLetter { partition, position, fields, error });
        let done =
            self.mysql.apply(&batch, Locks::NoWait, Inserts::OneByOne, &letters.collect::<Vec<_>>()).await;
        self.note_stuck(logged, &done);
        let done = done?;
        let outcomes = batch.replies.first().map(|pending| pending.outcome.clone());
        let batch = Batch { replies: Vec::new(), ..batch.clone() };
        self.committed(&part, &batch, &known.stored, &done);
        for (receiver, error) in refused {
            metrics::DEAD.inc();
            tracing::error!(%partition, %position, user = %receiver.user, error, "message refused, kept in chatpush_dead");
            metrics::MESSAGES.refused.inc();
            message_log::refused(id, &receiver.user, error);
            self.refused_messages.add((receiver.user.clone(), id.clone()), error.clone());
            self.queue_refusal(&receiver.user, id, &Reply::Refused(Refusal::Rejected(error.clone())));
            // Clients that were connected have been shown it.
            let prefix = &self.services.prefix;
            replies::publish_recall(&mut self.after_commit, prefix, &receiver.user, std::slice::from_ref(id));
        }
        if let (Some(reply_to), Some(Outcome::Each(outcomes))) = (reply_to, outcomes) {
            let mut others = outcomes.iter();
            let mut each = Each::default();
            for receiver in receivers {
                let refused = is_refused(receiver).filter(|_| !receiver.repeated);
                each.add(if let Some((_, error)) = refused {
                    Err(Refusal::Rejected(error.clone()))
                } else {
                    let outcome = others.next().map(|outcome| self.of_one(outcome, &done));
                    outcome.unwrap_or(Ok(receiver.online))
                });
            }
            self.queue_reply(partition, reply_to, &Reply::Each(each));
        }
        Ok(())
    }
}

/// The entry for some of its receivers.
fn for_receivers(logged: &LogEntry, some: &[Addressee]) -> LogEntry {
    let mut part = logged.clone();
    if let Ok(Entry::MessageToMany { receivers, .. }) = &mut part.entry {
        *receivers = some.to_vec();
    }
    part
}
