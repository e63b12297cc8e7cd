//! What one transaction does: log entries turned into inserts, deletes and counters. Pure, so that every
//! rule about order can be tested without a database.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap, HashSet};

use chatpush_wire::entry::{Entry, Malformed};
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;

use crate::log::position::Position;

/// Most rows that one transaction touches, unless its first entry alone touches more.
const BATCH_ROWS: usize = 4_096;

/// One entry as it was read from a partition's log.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    /// Which log.
    pub(crate) partition: Partition,
    /// Its id there.
    pub(crate) position: Position,
    /// The entry, or why this version cannot read it.
    pub(crate) entry: Result<Entry, Malformed>,
    /// Its fields as they stand in the log, for an entry that has to be set aside.
    pub(crate) fields: Vec<(String, String)>,
}

impl LogEntry {
    /// How many rows it touches.
    pub(crate) fn rows(&self) -> usize {
        match &self.entry {
            Ok(Entry::ClientAck { ids, .. }) => ids.len(),
            Ok(Entry::AppDelete { rows, .. }) => rows.len(),
            _ => 1,
        }
    }

    /// The receiver and id of a message whose sender has chosen the id, so that it may be there already.
    pub(crate) fn chosen(&self) -> Option<(UserId, &MessageId)> {
        match &self.entry {
            Ok(Entry::Message { id, receiver, .. }) if id.is_chosen() => Some((*receiver, id)),
            _ => None,
        }
    }
}

/// Cuts off what one transaction may not do any more, beyond the first entry. It is read again; the partitions it
/// belongs to are returned.
pub(crate) fn limit_rows(entries: &mut Vec<LogEntry>) -> Vec<Partition> {
    let mut rows = 0;
    let end = entries.iter().position(|logged| {
        rows += logged.rows();
        rows > BATCH_ROWS
    });
    let cut = end.map_or_else(Vec::new, |end| entries.split_off(end.max(1)));
    cut.iter().map(|logged| logged.partition).collect()
}

/// A partition's position, from where it was to behind the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PositionUpdate {
    /// Which partition.
    pub(crate) partition: Partition,
    /// Where it has to be, or somebody else has written.
    pub(crate) from: Position,
    /// Where it goes.
    pub(crate) to: Position,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Insert<'a> {
    /// The message's id.
    pub(crate) id: &'a MessageId,
    /// Who sent it.
    pub(crate) sender: UserId,
    /// Whose mailbox.
    pub(crate) receiver: UserId,
    /// The content, verbatim.
    pub(crate) content: &'a str,
    /// Its type, if it has one.
    pub(crate) message_type: Option<&'a MessageType>,
    /// When it was accepted.
    pub(crate) time_ms: u64,
}

/// What happens to one user's unread counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Whether it first becomes 0.
    pub(crate) cleared: bool,
    /// How much is added then.
    pub(crate) added: u32,
}

/// Rows that the application has rendered itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppDelete<'a> {
    /// Whose.
    pub(crate) receiver: UserId,
    /// Their row ids.
    pub(crate) rows: &'a [u64],
}

/// Who is told what after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingReply<'a> {
    /// The partition of the mailbox it is about.
    pub(crate) partition: Partition,
    /// Who waits.
    pub(crate) reply_to: &'a str,
    /// What it waits for.
    pub(crate) outcome: Outcome,
}

/// What a waiting caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The message is stored; whether its receiver was connected.
    Stored {
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
    },
    /// The counter is cleared.
    Cleared,
    /// How many rows the ack with this index in [`Batch::app_deletes`] removed.
    Removed(usize),
}

/// One transaction's work. It borrows from the entries, which outlive it: they are planned anew when it fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch<'a> {
    /// Positions, in partition order.
    pub(crate) positions: Vec<PositionUpdate>,
    /// Rows to insert, in the order of acceptance within each partition.
    pub(crate) inserts: Vec<Insert<'a>>,
    /// Messages whose rows go, by receiver.
    pub(crate) client_acks: Vec<(UserId, &'a MessageId)>,
    /// Rows that the application acknowledged.
    pub(crate) app_deletes: Vec<AppDelete<'a>>,
    /// Counters that change, by user.
    pub(crate) counters: BTreeMap<UserId, Counter>,
    /// Users whose devices are told the new counter.
    pub(crate) notify_unread: Vec<UserId>,
    /// Callers that wait for the commit.
    pub(crate) replies: Vec<PendingReply<'a>>,
}

impl<'a> Batch<'a> {
    /// Plans one transaction from entries that follow `from` in their logs. Entries of one partition must
    /// come in the order of the log and each must be readable; how partitions interleave does not matter.
    ///
    /// With `count_unread` off no message counts, because the application counts them itself. What is `stored`
    /// is stored already: a message whose sender sent it again.
    pub(crate) fn plan(
        entries: &'a [LogEntry],
        from: impl Fn(Partition) -> Position,
        count_unread: bool,
        stored: &HashSet<(UserId, MessageId)>,
    ) -> Self {
        let mut batch = Self::default();
        let mut ends = BTreeMap::new();
        let mut inserts = Vec::new();
        // Where each message is among them; nowhere if it was stored before.
        let mut places: HashMap<_, _> = stored.iter().map(|(receiver, id)| ((*receiver, id), None)).collect();
        for logged in entries {
            ends.insert(logged.partition, logged.position);
            let Ok(entry) = &logged.entry else { continue };
            let outcome = match entry {
                Entry::Message { id, sender, receiver, content, message_type, receiver_online, .. } => {
                    if let MapEntry::Vacant(place) = places.entry((*receiver, id)) {
                        place.insert(Some(inserts.len()));
                        inserts.push(Some(Insert {
                            id,
                            sender: *sender,
                            receiver: *receiver,
                            content,
                            message_type: message_type.as_ref(),
                            time_ms: logged.position.time_ms(),
                        }));
                        if count_unread {
                            batch.counters.entry(*receiver).or_default().added += 1;
                            if *receiver_online {
                                batch.notify_unread.push(*receiver);
                            }
                        }
                    }
                    Outcome::Stored { receiver_online: *receiver_online }
                }
                Entry::ClientAck { receiver, ids } => {
                    for id in ids {
                        // A message that was delivered before it was stored never becomes a row.
                        let place = places.get(&(*receiver, id)).copied().flatten();
                        match place.and_then(|at| inserts.get_mut(at)) {
                            Some(insert) => *insert = None,
                            None => batch.client_acks.push((*receiver, id)),
                        }
                    }
                    continue;
                }
                Entry::AppDelete { receiver, rows, .. } => {
                    batch.app_deletes.push(AppDelete { receiver: *receiver, rows });
                    Outcome::Removed(batch.app_deletes.len() - 1)
                }
                Entry::Clear { receiver, .. } => {
                    batch.counters.insert(*receiver, Counter { cleared: true, added: 0 });
                    batch.notify_unread.push(*receiver);
                    Outcome::Cleared
                }
                Entry::Duplicate { receiver_online, .. } => {
                    Outcome::Stored { receiver_online: *receiver_online }
                }
            };
            if let Some(reply_to) = entry.reply_to() {
                batch.replies.push(PendingReply { partition: logged.partition, reply_to, outcome });
            }
        }
        batch.inserts = inserts.into_iter().flatten().collect();
        batch.notify_unread.sort_unstable();
        batch.notify_unread.dedup();
        batch.positions = ends
            .into_iter()
            .map(|(partition, to)| PositionUpdate { partition, from: from(partition), to })
            .collect();
        batch
    }
}

#[cfg(test)]
mod tests;
