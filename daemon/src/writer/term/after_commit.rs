//! What follows a commit: replies to callers, counters, and records of refusals.

use chatpush_wire::frame::Message;
use chatpush_wire::id::{MessageId, Sender, UserId};
use chatpush_wire::limit::CHOSEN_SEEN_TTL;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Each, NO_CONVERSATIONS, Refusal, Reply};
use chatpush_wire::reply_to::ReplyTo;
use redis::Pipeline;

use super::Term;
use crate::base::fault_injection::{self, Promise};
use crate::broker::{BrokerError, replies};
use crate::log::batch::{Batch, Outcome};
use crate::services::Services;
use crate::store::apply::Applied;

impl Term<'_> {
    pub(super) fn queue_replies(&mut self, batch: &Batch<'_>, done: &Applied) {
        for pending in &batch.replies {
            let reply = self.reply(&pending.outcome, done);
            self.queue_reply(pending.partition, pending.reply_to, &reply);
        }
        for (user, unread) in &done.counters {
            replies::publish_unread(&mut self.after_commit, &self.services.prefix, user, &unread.frame());
        }
    }

    /// Shows clients the messages that were queued while no daemon was there, and whose ids count as applied:
    /// the barrier of a client that connected meanwhile did not wait for them.
    pub(super) fn queue_rescued(&mut self, batch: &Batch<'_>) {
        for insert in &batch.inserts {
            let at = batch.positions.iter().find(|update| update.partition == Partition::of(insert.receiver));
            if at.is_none_or(|update| insert.position > update.from) {
                continue;
            }
            let message = Message {
                id: insert.id,
                message_type: insert.message_type,
                data: insert.content,
                from: Some(&Sender::from(insert.sender)),
                conversation: insert.conversation,
            };
            let (prefix, time_ms) = (&self.services.prefix, insert.position.time_ms());
            replies::publish_message(&mut self.after_commit, prefix, insert.receiver, &message, time_ms);
        }
    }

    fn reply(&mut self, outcome: &Outcome<'_>, done: &Applied) -> Reply {
        match outcome {
            Outcome::Stored { receiver_online } => Reply::Stored { receiver_online: *receiver_online },
            Outcome::Repeated { receiver, id, receiver_online } => {
                self.repeated(receiver, id, *receiver_online)
            }
            Outcome::Full(user) => Reply::Refused(Refusal::MailboxFull(user.to_string())),
            Outcome::Each(outcomes) => {
                let mut each = Each::default();
                for outcome in outcomes {
                    each.add(self.of_one(outcome, done));
                }
                Reply::Each(each)
            }
            Outcome::Cleared => Reply::Cleared,
            Outcome::NotCounted => Reply::Refused(Refusal::NotConfigured(NO_CONVERSATIONS.to_owned())),
            Outcome::Forgotten => Reply::Forgotten,
            Outcome::Recalled { receiver, ids, from_batch, index } => {
                let stored = index.and_then(|index| done.recalled.get(index)).copied();
                let taken = *from_batch || stored.unwrap_or(false);
                if taken {
                    self.queue_known(receiver, ids);
                    self.queue_recall(receiver, ids);
                }
                Reply::Recalled(taken)
            }
            Outcome::Removed(ack) => Reply::Removed(done.removed.get(*ack).copied().unwrap_or(0)),
        }
    }

    /// What became of the message of one of many receivers: whether they were connected, or why it was refused.
    pub(super) fn of_one(&mut self, outcome: &Outcome<'_>, done: &Applied) -> Result<bool, Refusal> {
        match self.reply(outcome, done) {
            Reply::Stored { receiver_online } => Ok(receiver_online),
            Reply::Refused(refusal) => Err(refusal),
            // Messages have no other.
            _ => Err(Refusal::Rejected(String::new())),
        }
    }

    /// The reply to a call whose message is in an earlier batch.
    fn repeated(&mut self, receiver: &UserId, id: &MessageId, receiver_online: bool) -> Reply {
        if self.full_mailboxes.error(receiver, id).is_some() {
            return Reply::Refused(Refusal::MailboxFull(receiver.to_string()));
        }
        let error = self.refused_messages.error(receiver, id);
        let Some(error) = error.filter(|_| !fault_injection::breaks(Promise::Refusals)) else {
            return Reply::Stored { receiver_online };
        };
        let refused = Reply::Refused(Refusal::Rejected(error.to_owned()));
        // Redis has lost the record, or did not have it yet.
        self.queue_refusal(receiver, id, &refused);
        refused
    }

    /// Records a refusal in Redis, so that repeated calls get the same reply.
    pub(super) fn queue_refusal(&mut self, receiver: &UserId, id: &MessageId, refused: &Reply) {
        let json = serde_json::to_string(refused).unwrap_or_default();
        let seen = self.services.prefix.seen(receiver, id);
        if fault_injection::breaks(Promise::Refusals) {
            return;
        }
        if fault_injection::breaks(Promise::ShownOnce) {
            self.after_commit.cmd("DEL").arg(seen).ignore();
            return;
        }
        let lifetime = CHOSEN_SEEN_TTL.as_millis();
        self.after_commit.cmd("SET").arg(seen).arg(json).arg("PX").arg(lifetime).ignore();
    }

    /// Records that messages were accepted, if Redis has forgotten them: a repeated call must not revive what
    /// was taken back.
    fn queue_known(&mut self, receiver: &UserId, ids: &[MessageId]) {
        for id in ids {
            let seen = self.services.prefix.seen(receiver, id);
            let lifetime = CHOSEN_SEEN_TTL.as_millis();
            self.after_commit.cmd("SET").arg(seen).arg("0").arg("NX").arg("PX").arg(lifetime).ignore();
        }
    }

    /// Clients are told of an id that does not show its sender, since the message was that sender's.
    fn queue_recall(&mut self, receiver: &UserId, ids: &[MessageId]) {
        let generated: Vec<_> = ids.iter().filter(|id| !id.is_chosen()).cloned().collect();
        if !generated.is_empty() {
            replies::publish_recall(&mut self.after_commit, &self.services.prefix, receiver, &generated);
        }
    }

    pub(super) fn queue_reply(&mut self, partition: Partition, reply_to: &str, reply: &Reply) {
        let Services { prefix, daemon, .. } = self.services;
        let Some(reply_to) = ReplyTo::parse(reply_to) else {
            tracing::warn!(%partition, "cannot read reply_to: is an extension of another version in use?");
            return;
        };
        replies::publish_reply(&mut self.after_commit, prefix, daemon, partition, reply_to, reply);
    }

    pub(super) async fn send_after_commit(&mut self) -> Result<(), BrokerError> {
        let commands = std::mem::take(&mut self.after_commit);
        let sent = send(self.services, &commands).await;
        self.after_sending(sent)
    }

    /// While Redis takes no writes, the logs cannot be trimmed. Replies are published nevertheless, so the
    /// term goes on, and trims them later.
    pub(super) fn after_sending(&mut self, sent: Result<(), BrokerError>) -> Result<(), BrokerError> {
        match sent {
            Err(error) if error.is_refusal() => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::warn!(%error, "Redis takes no writes: the logs are trimmed when it does again");
                }
                let applied = self.applied.iter().map(|(partition, position)| (*partition, *position));
                self.trimming.postpone(applied.filter(|(partition, _)| !self.rescan.contains(*partition)));
                Ok(())
            }
            other => other,
        }
    }
}

pub(super) async fn send(services: &Services, commands: &Pipeline) -> Result<(), BrokerError> {
    if commands.is_empty() { Ok(()) } else { services.commands.send(commands).await }
}
