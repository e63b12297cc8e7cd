//! What senders are told after a commit, if the operator wants it: copies of their messages, and receipts.

use std::collections::{BTreeMap, HashSet};

use chatpush_wire::entry::Entry;
use chatpush_wire::frame::{Message, sent};
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
        for logged in entries {
            let Ok(Entry::Message { id, sender, receiver, content, message_type, conversation, .. }) =
                &logged.entry
            else {
                continue;
            };
            // Who writes to themselves gets the message.
            if sender == receiver || !stored.is_empty() && stored.contains(&(receiver.clone(), id.clone())) {
                continue;
            }
            let message = Message {
                id,
                message_type: Some(message_type.as_ref().unwrap_or(&self.services.config.default_type)),
                data: content,
                from: Some(&Sender::from(sender)),
                conversation: conversation.as_ref(),
            };
            let frame = sent::carbon(&message, receiver, logged.position.time_ms());
            replies::offer(&mut self.after_commit, &self.services.prefix, sender, &frame);
        }
    }
}
