//! Counts which messages arrived, and which were duplicated, reordered or delivered to the wrong user.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::message_header::MessageHeader;

/// The sequence numbers that arrived from one publisher for one user.
#[derive(Clone, Debug, Default)]
struct Stream {
    /// One bit for each sequence number that arrived.
    seen: Vec<u64>,
    /// The highest sequence number that arrived, plus one.
    next: u32,
}

/// The messages that a receiver got, by publisher and user.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    streams: HashMap<(u16, u32), Stream>,
    counts: Counts,
}

/// Exact counts of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Distinct messages that arrived.
    pub received: u64,
    /// Copies beyond the first.
    pub duplicated: u64,
    /// Messages that arrived after one that was sent later.
    pub reordered: u64,
    /// Messages that arrived at the wrong user. No other field counts them.
    pub misrouted: u64,
}

impl Counts {
    /// Adds the counts of another receiver.
    pub fn add(&mut self, other: Self) {
        self.received += other.received;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.misrouted += other.misrouted;
    }

    /// Faults other than losses.
    pub const fn faults(&self) -> u64 {
        self.duplicated + self.reordered + self.misrouted
    }

    /// How many of the `sent` messages never arrived.
    pub const fn lost(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.received)
    }
}

impl Ledger {
    /// Records a message that arrived on a connection of `user`, or on one of several users if `user` is 0.
    /// Returns whether it is new and was meant for this user.
    pub fn record(&mut self, header: &MessageHeader, user: u32) -> bool {
        if user != 0 && user != header.user {
            self.counts.misrouted += 1;
            return false;
        }
        let stream = self.streams.entry((header.publisher, header.user)).or_default();
        let (word, bit) = (header.sequence as usize / 64, 1u64 << (header.sequence % 64));
        if stream.seen.len() <= word {
            stream.seen.resize(word + 1, 0);
        }
        if stream.seen[word] & bit != 0 {
            self.counts.duplicated += 1;
            return false;
        }
        stream.seen[word] |= bit;
        self.counts.received += 1;
        if header.sequence < stream.next {
            self.counts.reordered += 1;
        } else {
            stream.next = header.sequence + 1;
        }
        true
    }

    /// The counts so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(numbers: &[u32]) -> Counts {
        let mut ledger = Ledger::default();
        for number in numbers {
            let header = MessageHeader { publisher: 1, user: 2, sequence: *number, intended: 0, called: 0 };
            ledger.record(&header, 2);
        }
        ledger.counts()
    }

    #[test]
    fn each_kind_of_fault_has_its_own_count() {
        assert_eq!(take(&[0, 1, 2]), Counts { received: 3, ..Counts::default() });
        assert_eq!(take(&[0, 2]).lost(3), 1);
        assert_eq!(take(&[0, 1, 1, 0, 2]), Counts { received: 3, duplicated: 2, ..Counts::default() });
        assert_eq!(take(&[1, 0, 2]), Counts { received: 3, reordered: 1, ..Counts::default() });
        assert_eq!(take(&[3, 0, 1, 2]), Counts { received: 4, reordered: 3, ..Counts::default() });
    }

    #[test]
    fn a_misrouted_message_is_not_received() {
        let mut ledger = Ledger::default();
        let header = MessageHeader { publisher: 1, user: 2, sequence: 0, intended: 0, called: 0 };
        assert!(!ledger.record(&header, 3));
        assert_eq!(ledger.counts(), Counts { misrouted: 1, ..Counts::default() });
    }
}
