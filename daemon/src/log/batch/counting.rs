//! What a batch changes of unread counters, and of what conversations count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::UserId;

use super::{Batch, Insert};
use crate::log::position::Position;

/// What is counted as unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Nothing: the application counts itself.
    Off,
    /// The messages of a user.
    Total,
    /// Also those of each conversation.
    ByConversation,
}

/// The change of one user's unread counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    /// Whether it is set to 0 first.
    pub(crate) cleared: bool,
    /// How much is added.
    pub(crate) added: u32,
    /// Where in the log the first entry is that changes it.
    pub(crate) since: Position,
}

/// The changes of what the conversations of one user count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Conversations that are cleared first. All of them are if the user's [`Counter`] is.
    pub(crate) cleared: BTreeSet<String>,
    /// How much is added to each.
    pub(crate) added: BTreeMap<String, u32>,
    /// The last clear of each, unless everything was cleared after it.
    pub(crate) clears: BTreeMap<String, PartClear>,
}

/// The clear of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartClear {
    /// The id of its entry.
    pub(crate) position: Position,
    /// Whether it has cleared messages of this batch. If not, the conversation may have counted nothing.
    pub(crate) counted: bool,
}

/// Where in a batch counters were cleared: behind how many messages. The key is a conversation, or none for
/// the whole counter.
#[derive(Debug, Default)]
pub(super) struct Clears<'a>(HashMap<(&'a UserId, Option<String>), usize>);

impl Clears<'_> {
    /// Whether the message with this index still counts.
    pub(super) fn leave(&self, insert: &Insert<'_>, at: usize) -> bool {
        let mut keys = [None, Some(insert.counts_for())].into_iter();
        keys.all(|part| self.0.get(&(insert.receiver, part)).is_none_or(|end| at >= *end))
    }
}

impl Insert<'_> {
    /// The conversation for which it counts: its own, or its sender.
    fn counts_for(&self) -> String {
        self.conversation.map_or_else(|| self.sender.to_string(), |name| name.as_str().to_owned())
    }
}

impl<'a> Batch<'a> {
    /// The change of a user's counter by the entry at this position.
    pub(super) fn counter(&mut self, user: &'a UserId, position: Position) -> &mut Counter {
        self.counters.entry(user).or_insert(Counter { since: position, ..Counter::default() })
    }

    /// Counts a new message.
    pub(super) fn count(&mut self, insert: &Insert<'a>, receiver_online: bool, counting: Counting) {
        if counting == Counting::Off {
            return;
        }
        if counting == Counting::ByConversation {
            let parts = self.parts.entry(insert.receiver).or_default();
            *parts.added.entry(insert.counts_for()).or_default() += 1;
        }
        self.counter(insert.receiver, insert.position).added += 1;
        if receiver_online {
            self.notify_unread.push(insert.receiver);
        }
    }

    /// Takes a message of this batch out of the counter again.
    pub(super) fn uncount(&mut self, insert: &Insert<'a>) {
        if let Some(counter) = self.counters.get_mut(insert.receiver) {
            counter.added = counter.added.saturating_sub(1);
        }
        if let Some(parts) = self.parts.get_mut(insert.receiver) {
            let part = insert.counts_for();
            let left = parts.added.remove(&part).unwrap_or(0).saturating_sub(1);
            if left > 0 {
                parts.added.insert(part, left);
            }
        }
    }

    /// Clears the counter of a user, with all conversations, behind so many messages.
    pub(super) fn clear(
        &mut self,
        user: &'a UserId,
        position: Position,
        messages: usize,
        clears: &mut Clears<'a>,
    ) {
        self.parts.remove(user);
        let counter = self.counter(user, position);
        (counter.cleared, counter.added) = (true, 0);
        self.clears.insert(user, position);
        clears.0.insert((user, None), messages);
        self.notify_unread.push(user);
    }

    /// Takes away what one conversation of a user has counted behind so many messages.
    pub(super) fn clear_part(
        &mut self,
        user: &'a UserId,
        conversation: &Conversation,
        position: Position,
        messages: usize,
        clears: &mut Clears<'a>,
    ) {
        let name = || conversation.as_str().to_owned();
        let parts = self.parts.entry(user).or_default();
        let new = Counter { since: position, ..Counter::default() };
        let counter = self.counters.entry(user).or_insert(new);
        let added = parts.added.remove(conversation.as_str());
        counter.added = counter.added.saturating_sub(added.unwrap_or(0));
        if !counter.cleared {
            parts.cleared.insert(name());
        }
        let clear = parts.clears.entry(name()).or_default();
        clear.position = position;
        clear.counted |= added.is_some();
        clears.0.insert((user, Some(name())), messages);
        self.notify_unread.push(user);
    }
}
