//! The planning of a batch: log entries become the inserts, deletes and counters of one transaction. It does
//! no I/O, so every rule about order is tested without a database.

mod counting;
mod inserts;
mod limits;
mod logged;

use std::collections::{BTreeMap, HashMap, HashSet};

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::Entry;
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;

use self::counting::Clears;
pub(crate) use self::counting::{Counter, Counting, PartClear, Parts};
use self::inserts::Inserts;
pub(crate) use self::limits::{BATCH_ROWS, FORGOTTEN_ROWS, limit_size, separate_forgets};
pub(crate) use self::logged::LogEntry;
use crate::log::position::Position;

/// The move of a partition's position over a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PositionUpdate {
    /// Whose position.
    pub(crate) partition: Partition,
    /// The position before. If it is another, another daemon has written.
    pub(crate) from: Position,
    /// The position after. It is the same if all entries were queued before the log was repaired.
    pub(crate) to: Position,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Insert<'a> {
    /// The message id.
    pub(crate) id: &'a MessageId,
    /// The sender.
    pub(crate) sender: &'a UserId,
    /// The receiver.
    pub(crate) receiver: &'a UserId,
    /// The content, verbatim.
    pub(crate) content: &'a str,
    /// The message type, if there is one.
    pub(crate) message_type: Option<&'a MessageType>,
    /// The conversation, if it belongs to one.
    pub(crate) conversation: Option<&'a Conversation>,
    /// The id of its entry, which is also the time of acceptance.
    pub(crate) position: Position,
}

/// Rows that the application deletes (`ackOfflineMessage`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppDelete<'a> {
    /// The receiver.
    pub(crate) receiver: &'a UserId,
    /// The row ids.
    pub(crate) rows: &'a [u64],
}

/// A message of an earlier batch that its sender takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recall<'a> {
    /// The sender.
    pub(crate) sender: &'a UserId,
    /// The receiver.
    pub(crate) receiver: &'a UserId,
    /// The ids that it may have.
    pub(crate) ids: Vec<&'a MessageId>,
}

/// A message that a client has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered<'a> {
    /// The sender.
    pub(crate) sender: &'a UserId,
    /// The receiver.
    pub(crate) receiver: &'a UserId,
    /// The message.
    pub(crate) id: &'a MessageId,
}

/// A reply that is sent after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingReply<'a> {
    /// The partition of the receiver.
    pub(crate) partition: Partition,
    /// Where the reply goes.
    pub(crate) reply_to: &'a str,
    /// What it waits for.
    pub(crate) outcome: Outcome<'a>,
}

/// A message that is not stored, because its receiver's mailbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full<'a> {
    /// The index of its entry.
    pub(crate) entry: usize,
    /// The receiver.
    pub(crate) receiver: &'a UserId,
    /// The message.
    pub(crate) id: &'a MessageId,
}

/// What MySQL holds that a batch depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Messages that are stored already, or were a short time ago, because their sender sent them again.
    pub(crate) stored: HashSet<(UserId, MessageId)>,
    /// Those of them that were recalled.
    pub(crate) recalled: HashSet<(UserId, MessageId)>,
    /// Messages that a client has confirmed before they became rows, where each has to become one: Redis has lost
    /// them, or MySQL has refused them.
    pub(crate) confirmed_without_row: HashSet<(UserId, MessageId)>,
    /// How many messages each user may get who is not connected. Whoever is missing has no limit.
    pub(crate) room: HashMap<UserId, u32>,
}

/// The result that a reply reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<'a> {
    /// The message is stored.
    Stored {
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
    },
    /// What became of a message in an earlier batch: it is stored, or MySQL refused it.
    Repeated {
        /// The owner of the mailbox.
        receiver: &'a UserId,
        /// The message.
        id: &'a MessageId,
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
    },
    /// The mailbox of this user is full.
    Full(&'a UserId),
    /// The same for each of many receivers.
    Each(Vec<Self>),
    /// The counter is cleared.
    Cleared,
    /// Nothing is kept of the user any more.
    Forgotten,
    /// Nothing: conversations are not counted.
    NotCounted,
    /// Rows were deleted; their number is that of the delete with this index in [`Batch::app_deletes`].
    Removed(usize),
    /// Whether a message was taken back.
    Recalled {
        /// The receiver.
        receiver: &'a UserId,
        /// The ids that it may have.
        ids: &'a [MessageId],
        /// Whether it was in this batch and never becomes a row.
        from_batch: bool,
        /// The index in [`Batch::recalls`] of the one that decides otherwise.
        index: Option<usize>,
    },
}

/// The work of one transaction. It borrows from the entries, which are planned again if the transaction
/// fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch<'a> {
    /// Position updates, in the order of partitions.
    pub(crate) positions: Vec<PositionUpdate>,
    /// Rows to insert, in the order of acceptance within each partition.
    pub(crate) inserts: Vec<Insert<'a>>,
    /// Messages that are not stored.
    pub(crate) full: Vec<Full<'a>>,
    /// Messages that a client has confirmed, with their receiver. Their rows are deleted.
    pub(crate) client_acks: Vec<(&'a UserId, &'a MessageId)>,
    /// All messages that a client has confirmed, also those that never become rows.
    pub(crate) confirmed: Vec<(&'a UserId, &'a MessageId)>,
    /// Messages of this batch that their senders have taken back.
    pub(crate) recalled: Vec<(&'a UserId, &'a MessageId)>,
    /// Messages that were recalled before and were sent again. Redis did not know that, and has shown them.
    pub(crate) shown_again: Vec<(&'a UserId, &'a MessageId)>,
    /// Rows that the application deletes.
    pub(crate) app_deletes: Vec<AppDelete<'a>>,
    /// Messages of earlier batches that their senders take back.
    pub(crate) recalls: Vec<Recall<'a>>,
    /// Messages that a client has confirmed before they became rows, and that never become rows.
    pub(crate) delivered: Vec<Delivered<'a>>,
    /// Those of [`Batch::recalled`] whose rows are marked, in a history.
    pub(crate) withdrawn: Vec<(&'a UserId, &'a MessageId)>,
    /// Users of whom nothing is kept any more.
    pub(crate) forgets: Vec<(Partition, &'a UserId)>,
    /// The entries that cleared counters last.
    pub(crate) clears: BTreeMap<&'a UserId, Position>,
    /// Changes of counters, by user.
    pub(crate) counters: BTreeMap<&'a UserId, Counter>,
    /// Changes of what conversations count, by user. Empty unless that is counted.
    pub(crate) parts: BTreeMap<&'a UserId, Parts>,
    /// Users whose devices get the new counter.
    pub(crate) notify_unread: Vec<&'a UserId>,
    /// Replies to the callers that wait for the commit.
    pub(crate) replies: Vec<PendingReply<'a>>,
}

impl<'a> Batch<'a> {
    /// About how many rows it touches.
    pub(crate) fn rows(&self) -> usize {
        let deletes: usize = self.app_deletes.iter().map(|delete| delete.rows.len()).sum();
        let recalls: usize = self.recalls.iter().map(|recall| recall.ids.len()).sum();
        let forgotten = self.forgets.len() * FORGOTTEN_ROWS as usize;
        self.inserts.len() + self.client_acks.len() + deletes + recalls + forgotten + self.counters.len()
    }

    /// Plans one transaction. The entries follow `from` in their logs, or were found before it, not applied.
    /// Those of one partition come in the order of its log; the order of partitions does not matter. Entries
    /// that could not be decoded are skipped, so the caller must reject them first.
    ///
    /// With [`Counting::Off`] the application counts messages itself. In a history every message becomes a row,
    /// also one that was confirmed or taken back before.
    #[expect(clippy::too_many_lines, reason = "it has an arm for each kind of entry, and each is short")]
    pub(crate) fn plan(
        entries: &'a [LogEntry],
        from: impl Fn(Partition) -> Position,
        (counting, is_history): (Counting, bool),
        known: &Known,
    ) -> Self {
        let mut batch = Self::default();
        let mut ends = BTreeMap::new();
        let mut inserts = Inserts::new(known, counting);
        let mut clears = Clears::default();
        for (index, logged) in entries.iter().enumerate() {
            inserts.entry = index;
            ends.insert(logged.partition, logged.position);
            // Nobody was connected then. Whoever is now has read the mailbox already.
            let is_rescued = logged.position <= from(logged.partition);
            let Ok(entry) = &logged.entry else { continue };
            let outcome = match entry {
                Entry::Message {
                    id,
                    sender,
                    receiver,
                    content,
                    message_type,
                    conversation,
                    receiver_online,
                    ..
                } => {
                    let insert = Insert {
                        id,
                        sender,
                        receiver,
                        content,
                        message_type: message_type.as_ref(),
                        conversation: conversation.as_ref(),
                        position: logged.position,
                    };
                    inserts.add(&mut batch, insert, *receiver_online || is_rescued)
                }
                Entry::MessageToMany {
                    id, sender, receivers, content, message_type, conversation, ..
                } => {
                    let each = receivers.iter().map(|receiver| {
                        if receiver.repeated {
                            return inserts.repeated(&receiver.user, id, receiver.online);
                        }
                        let insert = Insert {
                            id,
                            sender,
                            receiver: &receiver.user,
                            content,
                            message_type: message_type.as_ref(),
                            conversation: conversation.as_ref(),
                            position: logged.position,
                        };
                        inserts.add(&mut batch, insert, receiver.online || is_rescued)
                    });
                    Outcome::Each(each.collect())
                }
                Entry::ClientAck { receiver, ids } => {
                    for id in ids {
                        if id.as_row().is_none() {
                            batch.confirmed.push((receiver, id));
                        }
                        inserts.make_room(receiver);
                        // A message that was confirmed before it was stored becomes a row in a history alone.
                        let place = inserts.places.get(&(receiver, id)).copied().flatten();
                        match place.and_then(|at| inserts.rows.get_mut(at)) {
                            Some(row) => match row.take_if(|_| true) {
                                Some(_) if is_history => batch.client_acks.push((receiver, id)),
                                Some(Insert { sender, .. }) => {
                                    batch.delivered.push(Delivered { sender, receiver, id });
                                }
                                None => {}
                            },
                            None => batch.client_acks.push((receiver, id)),
                        }
                    }
                    continue;
                }
                Entry::AppDelete { receiver, rows, .. } => {
                    batch.app_deletes.push(AppDelete { receiver, rows });
                    Outcome::Removed(batch.app_deletes.len() - 1)
                }
                Entry::Clear { conversation: Some(_), .. } if counting != Counting::ByConversation => {
                    Outcome::NotCounted
                }
                Entry::Clear { receiver, conversation, .. } => {
                    let (at, messages) = (logged.position, inserts.rows.len());
                    match conversation {
                        None => batch.clear(receiver, at, messages, &mut clears),
                        Some(name) => batch.clear_part(receiver, name, at, messages, &mut clears),
                    }
                    Outcome::Cleared
                }
                Entry::Forget { receiver, .. } => {
                    batch.parts.remove(receiver);
                    let counter = batch.counter(receiver, logged.position);
                    (counter.cleared, counter.added) = (true, 0);
                    batch.forgets.push((logged.partition, receiver));
                    Outcome::Forgotten
                }
                Entry::Recall { sender, receiver, ids, .. } => {
                    let mut from_batch = false;
                    let mut earlier = Vec::new();
                    for id in ids {
                        let Some(at) = inserts.places.get(&(receiver, id)).copied().flatten() else {
                            earlier.push(id);
                            continue;
                        };
                        let Some(row) = inserts.rows.get_mut(at) else { continue };
                        let Some(taken) = row.take_if(|insert| insert.sender == sender) else { continue };
                        from_batch = true;
                        if is_history {
                            batch.withdrawn.push((receiver, id));
                        }
                        inserts.make_room(receiver);
                        batch.recalled.push((receiver, id));
                        // A clear that came after the message has reset its count.
                        if counting != Counting::Off && clears.leave(&taken, at) {
                            batch.uncount(&taken);
                        }
                    }
                    let index = (!earlier.is_empty()).then_some(batch.recalls.len());
                    if index.is_some() {
                        batch.recalls.push(Recall { sender, receiver, ids: earlier });
                    }
                    if counting != Counting::Off {
                        batch.counter(receiver, logged.position);
                        batch.notify_unread.push(receiver);
                    }
                    Outcome::Recalled { receiver, ids, from_batch, index }
                }
                Entry::Duplicate { receiver, id, receiver_online, .. } => {
                    inserts.repeated(receiver, id, *receiver_online)
                }
                Entry::DuplicateToMany { receivers, id, .. } => {
                    let each = receivers.iter().map(|each| inserts.repeated(&each.user, id, each.online));
                    Outcome::Each(each.collect())
                }
            };
            if let Some(reply_to) = entry.reply_to() {
                batch.replies.push(PendingReply { partition: logged.partition, reply_to, outcome });
            }
        }
        let rows = inserts.rows.into_iter().filter(|row| row.waits || is_history);
        batch.inserts = rows.map(|row| row.insert).collect();
        batch.notify_unread.sort_unstable();
        batch.notify_unread.dedup();
        batch.positions = ends
            .into_iter()
            .map(|(partition, end)| {
                let from = from(partition);
                PositionUpdate { partition, from, to: end.max(from) }
            })
            .collect();
        batch
    }
}

#[cfg(test)]
mod tests;
