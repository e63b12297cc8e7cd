//! What senders are told after a commit, if the operator wants it: copies of their messages, and receipts.

use std::collections::{BTreeMap, HashMap, HashSet};

use chatpush_wire::entry::Entry;
use chatpush_wire::frame::{Message, MessageType, sent};
use chatpush_wire::id::{MessageId, Sender, UserId};

use super::Term;
use crate::broker::replies;
use crate::log::batch::{Batch, Delivered, LogEntry};
use crate::store::apply::Applied;

/// Most ids in one receipt.
const IDS_PER_RECEIPT: usize = 256;

impl Term<'_> {
    /// Messages in `stored` were there before, and their senders have their copies.
    pub(super) fn queue_copies(
        &mut self,
        entries: &[LogEntry],
        batch: &Batch<'_>,
        stored: &HashSet<(UserId, MessageId)>,
        done: &Applied,
    ) {
        if self.services.config.receipts {
            self.queue_receipts(batch, done);
        }
        if self.services.config.carbons {
            self.queue_carbons(entries, stored);
        }
    }

    fn queue_receipts(&mut self, batch: &Batch<'_>, done: &Applied) {
        let mut receipts: BTreeMap<(&UserId, &UserId), Vec<&MessageId>> = BTreeMap::new();
        let rows = done.delivered.iter().map(|(sender, receiver, id)| Delivered { sender, receiver, id });
        for Delivered { sender, receiver, id } in rows.chain(batch.delivered.iter().copied()) {
            receipts.entry((sender, receiver)).or_default().push(id);
        }
        for ((sender, receiver), ids) in receipts {
            for ids in ids.chunks(IDS_PER_RECEIPT) {
                let frame = sent::delivered(receiver, ids);
                replies::offer(&mut self.after_commit, &self.services.prefix, sender, &frame);
            }
        }
    }

    fn queue_carbons(&mut self, entries: &[LogEntry], stored: &HashSet<(UserId, MessageId)>) {
        for (sender, frame) in carbons(entries, stored, &self.services.config.default_type) {
            replies::offer(&mut self.after_commit, &self.services.prefix, sender, &frame);
        }
    }
}

/// The copies of the messages in these entries, each with its sender. A message for many receivers has an entry
/// for those of each partition, and one copy.
fn carbons<'a>(
    entries: &'a [LogEntry],
    stored: &HashSet<(UserId, MessageId)>,
    default_type: &MessageType,
) -> Vec<(&'a UserId, String)> {
    // Who writes to themselves gets the message.
    let is_new = |sender: &UserId, receiver: &UserId, id: &MessageId| {
        sender != receiver && (stored.is_empty() || !stored.contains(&(receiver.clone(), id.clone())))
    };
    let mut carbons = Vec::new();
    let mut to_many: Vec<(&LogEntry, Vec<&UserId>)> = Vec::new();
    let mut places: HashMap<(&UserId, &MessageId), usize> = HashMap::new();
    for logged in entries {
        match &logged.entry {
            Ok(Entry::Message { id, sender, receiver, .. }) if is_new(sender, receiver, id) => {
                let copy = copy(logged, default_type, |message, time| sent::carbon(message, receiver, time));
                carbons.extend(copy);
            }
            Ok(Entry::MessageToMany { id, sender, receivers, .. }) => {
                let new = receivers.iter().filter(|to| !to.repeated && is_new(sender, &to.user, id));
                let place = *places.entry((sender, id)).or_insert(to_many.len());
                if place == to_many.len() {
                    to_many.push((logged, Vec::new()));
                }
                to_many[place].1.extend(new.map(|to| &to.user));
            }
            _ => {}
        }
    }
    for (logged, to) in to_many.into_iter().filter(|(_, to)| !to.is_empty()) {
        carbons.extend(copy(logged, default_type, |message, time| sent::carbon_to_many(message, &to, time)));
    }
    carbons
}

/// The copy of a message, with its sender; none of another entry. It is rendered from the message and its time, in
/// milliseconds since 1970.
fn copy<'a>(
    logged: &'a LogEntry,
    default_type: &MessageType,
    render: impl FnOnce(&Message<'_>, u64) -> String,
) -> Option<(&'a UserId, String)> {
    let Ok(
        Entry::Message { id, sender, content, message_type, conversation, .. }
        | Entry::MessageToMany { id, sender, content, message_type, conversation, .. },
    ) = &logged.entry
    else {
        return None;
    };
    let from = Sender::from(sender);
    let message = Message {
        id,
        message_type: Some(message_type.as_ref().unwrap_or(default_type)),
        data: content,
        from: Some(&from),
        conversation: conversation.as_ref(),
    };
    Some((sender, render(&message, logged.position.time_ms())))
}
