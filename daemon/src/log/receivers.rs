//! Who is named by the entries of a log that are not applied yet: for each receiver, the last one.

use std::collections::HashMap;

use chatpush_wire::entry::EntryKind;
use chatpush_wire::id::UserId;

use super::position::Position;

/// Most receivers that are told apart, which bounds the memory to a few megabytes. An entry of one more counts
/// as everybody's. The log holds about as many messages.
const MAX_RECEIVERS: usize = 100_000;

/// Receivers up to which applied entries are not dropped: that would cost more than it frees.
const FEW_RECEIVERS: usize = 1_024;

/// An entry of a log, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntryHead {
    /// Its id in the log.
    pub(crate) position: Position,
    /// Whose mailboxes or counters it changes; none if this version cannot tell.
    pub(crate) receivers: Option<Vec<UserId>>,
    /// What it does.
    pub(crate) kind: EntryKind,
}

/// The receivers of a part of a log: of every entry after an applied position, up to [`Receivers::read`].
#[derive(Debug)]
pub(crate) struct Receivers {
    /// The position after which every entry is known.
    from: Position,
    /// The id up to which the log has been read.
    read: Position,
    /// The last entry of each receiver. Those that are applied may still be here.
    last: HashMap<UserId, Position>,
    /// The last entry that counts as everybody's.
    everybody: Position,
    /// At how many receivers the applied ones are dropped.
    drop_at: usize,
}

impl Receivers {
    /// Nothing is read yet. Everything up to `applied` is in MySQL, so the log is to be read from there.
    pub(crate) fn new(applied: Position) -> Self {
        Self {
            from: applied,
            read: applied,
            last: HashMap::new(),
            everybody: Position::default(),
            drop_at: FEW_RECEIVERS,
        }
    }

    /// The id after which the log is to be read on.
    pub(crate) const fn read(&self) -> Position {
        self.read
    }

    /// Adds the next entry of the log.
    pub(crate) fn add(&mut self, entry: &EntryHead) {
        self.read = self.read.max(entry.position);
        let Some(receivers) = &entry.receivers else {
            self.everybody = entry.position;
            return;
        };
        for receiver in receivers {
            if let Some(last) = self.last.get_mut(receiver) {
                *last = entry.position;
            } else if self.last.len() < MAX_RECEIVERS {
                self.last.insert(receiver.clone(), entry.position);
            } else {
                self.everybody = entry.position;
            }
        }
    }

    /// Everything up to `applied` is in MySQL: drops those entries, and need not read them. If that is less
    /// than it was, because MySQL has lost commits, everything is to be read again.
    pub(crate) fn applied(&mut self, applied: Position) {
        if applied >= self.read || applied < self.from {
            *self = Self::new(applied);
        } else if self.last.len() >= self.drop_at {
            self.from = applied;
            self.last.retain(|_, last| *last > applied);
            self.last.shrink_to(FEW_RECEIVERS);
            self.drop_at = (self.last.len() * 2).max(FEW_RECEIVERS);
        }
    }

    /// The last entry that was read and may be `user`'s; the zero position if there is none.
    pub(crate) fn last_of(&self, user: &UserId) -> Position {
        self.last.get(user).copied().unwrap_or_default().max(self.everybody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(ms: u64) -> Position {
        format!("{ms}-0").parse().unwrap()
    }

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn entry(ms: u64, receivers: &[i64]) -> EntryHead {
        let receivers = receivers.iter().copied().map(user).collect();
        EntryHead { position: position(ms), receivers: Some(receivers), kind: EntryKind::Message }
    }

    #[test]
    fn last_entry_of_each_receiver_counts() {
        let mut receivers = Receivers::new(position(1));
        for entry in [entry(2, &[7]), entry(3, &[7, 8]), entry(4, &[8])] {
            receivers.add(&entry);
        }
        assert_eq!([7, 8, 9].map(|id| receivers.last_of(&user(id))), [3, 4, 0].map(position));
        assert_eq!(receivers.read(), position(4));
    }

    #[test]
    fn unreadable_entry_counts_as_everybodys() {
        let mut receivers = Receivers::new(position(1));
        receivers.add(&entry(2, &[7]));
        receivers.add(&EntryHead { position: position(3), receivers: None, kind: EntryKind::Other });
        receivers.add(&entry(4, &[8]));
        assert_eq!([7, 8, 9].map(|id| receivers.last_of(&user(id))), [3, 4, 3].map(position));
    }

    #[test]
    fn receivers_beyond_the_bound_are_not_told_apart() {
        let mut receivers = Receivers::new(position(0));
        let bound = i64::try_from(MAX_RECEIVERS).unwrap();
        for id in 1..=bound + 1 {
            receivers.add(&entry(id.unsigned_abs(), &[id]));
        }
        assert_eq!(receivers.last.len(), MAX_RECEIVERS);
        let all = [1, bound + 1, bound + 2].map(|id| receivers.last_of(&user(id)));
        assert_eq!(all, [position(MAX_RECEIVERS as u64 + 1); 3]);
    }

    #[test]
    fn applied_entries_are_dropped() {
        let mut receivers = Receivers::new(position(0));
        let many = FEW_RECEIVERS as u64 + 10;
        (1..=many).for_each(|id| receivers.add(&entry(id, &[id.cast_signed()])));
        receivers.applied(position(many - 1));
        assert_eq!(receivers.last.len(), 1);
        assert_eq!(receivers.last_of(&user(many.cast_signed())), position(many));
        receivers.applied(position(many + 5));
        assert_eq!((receivers.last.len(), receivers.read()), (0, position(many + 5)));
    }

    #[test]
    fn position_that_went_back_is_read_from_again() {
        let mut receivers = Receivers::new(position(5));
        receivers.add(&entry(6, &[7]));
        receivers.applied(position(5));
        assert_eq!(receivers.read(), position(6));
        receivers.applied(position(3));
        assert_eq!((receivers.read(), receivers.last_of(&user(7))), (position(3), position(0)));
    }
}
