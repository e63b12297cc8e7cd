//! Messages for which a mailbox has no room (`mailbox.max_messages`), and the removal of old ones.
//!
//! A caller who waits for the answer is told, and the message is kept nowhere. If nobody waits, because the call
//! has timed out or was only queued, its caller was told that it will be stored: it becomes a dead letter.

use std::collections::HashSet;

use chatpush_wire::entry::{Addressee, Entry, without_reply_to};
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::new_entry;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Refusal, Reply};
use chatpush_wire::reply_to::ReplyTo;

use super::Term;
use crate::base::{message_log, metrics};
use crate::broker::{BrokerError, replies};
use crate::log::batch::{Batch, Counting, Full, LogEntry, PositionUpdate};
use crate::log::position::Position;
use crate::store::StoreError;
use crate::store::apply::NewDeadLetter;

/// A message whose caller does not wait.
#[derive(Debug)]
pub(super) struct FullLetter {
    partition: Partition,
    position: Position,
    receiver: UserId,
    id: MessageId,
    fields: Vec<(String, String)>,
    error: String,
}

impl FullLetter {
    /// As it is stored.
    pub(super) fn borrow(&self) -> NewDeadLetter<'_> {
        let Self { partition, position, fields, error, .. } = self;
        NewDeadLetter { partition: *partition, position: *position, fields, error }
    }

    fn new(logged: &LogEntry, full: &Full<'_>) -> Self {
        let user = full.receiver.clone();
        let fields = if logged.entry.as_ref().is_ok_and(Entry::has_many_receivers) {
            new_entry::fields_of_one(&logged.fields, &Addressee { user, online: false, repeated: false })
        } else {
            without_reply_to(&logged.fields).cloned().collect()
        };
        Self {
            partition: logged.partition,
            position: logged.position,
            receiver: full.receiver.clone(),
            id: full.id.clone(),
            fields,
            error: Refusal::MailboxFull(full.receiver.to_string()).to_string(),
        }
    }
}

impl Term<'_> {
    /// The dead letters of the messages of a batch for which there is no room. Calls that are refused may be
    /// repeated: that they were accepted is forgotten before the transaction, so that no crash leaves it behind.
    pub(super) async fn prepare_full(&mut self, entries: &[LogEntry], batch: &Batch<'_>) -> Vec<FullLetter> {
        if batch.full.is_empty() {
            return Vec::new();
        }
        let told = match self.tell_callers(entries, batch).await {
            Ok(told) => told,
            Err(error) => {
                tracing::debug!(%error, "cannot find out who waits for an answer");
                HashSet::new()
            }
        };
        let untold = batch.full.iter().filter(|full| !told.contains(&full.entry));
        untold.filter_map(|full| Some(FullLetter::new(entries.get(full.entry)?, full))).collect()
    }

    /// The indices of the entries whose callers wait for the answer.
    async fn tell_callers(
        &self,
        entries: &[LogEntry],
        batch: &Batch<'_>,
    ) -> Result<HashSet<usize>, BrokerError> {
        let services = self.services;
        let mut callers: Vec<(usize, (Partition, ReplyTo<'_>))> = Vec::new();
        for full in &batch.full {
            let Some(logged) = entries.get(full.entry) else { continue };
            let reply_to = logged.entry.as_ref().ok().and_then(|entry| entry.reply_to());
            let reply_to = reply_to.and_then(ReplyTo::parse);
            if let Some(reply_to) = reply_to
                && callers.last().is_none_or(|(entry, _)| *entry != full.entry)
            {
                callers.push((full.entry, (logged.partition, reply_to)));
            }
        }
        if callers.is_empty() {
            return Ok(HashSet::new());
        }
        let asked: Vec<_> = callers.iter().map(|(_, caller)| *caller).collect();
        let waiting = replies::waiting(&services.commands, &services.prefix, &asked).await?;
        let told = callers.iter().zip(waiting).filter(|(_, waits)| *waits).map(|((entry, _), _)| *entry);
        let told: HashSet<_> = told.collect();
        let refused = batch.full.iter().filter(|full| told.contains(&full.entry));
        let refused: Vec<_> = refused.map(|full| (full.receiver, full.id)).collect();
        replies::forget_accepted(&services.commands, &services.prefix, &refused).await?;
        Ok(told)
    }

    /// Records what was committed without these messages, so that repeated calls get the same answer.
    pub(super) fn refuse_full(&mut self, batch: &Batch<'_>, letters: &[FullLetter]) {
        for full in &batch.full {
            let letter =
                letters.iter().find(|letter| (&letter.receiver, &letter.id) == (full.receiver, full.id));
            let message = (full.receiver.clone(), full.id.clone());
            metrics::MESSAGES.refused.inc();
            message_log::refused(full.id, full.receiver, "the mailbox is full");
            let Some(letter) = letter else {
                tracing::debug!(user = %full.receiver, "the mailbox is full, the message is refused");
                self.full_mailboxes.add(message, String::new());
                continue;
            };
            metrics::DEAD.inc();
            let (user, error) = (full.receiver, &letter.error);
            tracing::warn!(%user, error, "nobody waits for the answer, the message is kept in chatpush_dead");
            self.refused_messages.add(message, error.clone());
            self.queue_refusal(user, full.id, &Reply::Refused(Refusal::Rejected(error.clone())));
        }
    }

    /// Removes messages that have waited for too long, step by step.
    pub(super) async fn expire(&mut self) -> Result<(), StoreError> {
        let counted = self.counting() != Counting::Off;
        let applied = &self.applied;
        let at = |user: &UserId| {
            let partition = Partition::of(user);
            let at = applied.get(&partition).copied().unwrap_or_default();
            PositionUpdate { partition, from: at, to: at }
        };
        let expired = self.expiry.step_if_due(&mut self.mysql, at, counted).await?;
        metrics::EXPIRED.inc_by(expired.messages);
        self.mailboxes.removed(&expired.users);
        for (user, unread) in &expired.counters {
            replies::publish_unread(&mut self.after_commit, &self.services.prefix, user, &unread.frame());
        }
        Ok(())
    }
}
