//! Up to which key the rows of the message table were looked at.
//!
//! Keys become visible in the order in which their transactions commit, which is not that of the keys. So each row
//! is looked at four times: at once, and again when rows with smaller keys may have been committed since.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

/// How long after the first look each look comes. A transaction that is open for longer than the last may be missed.
const DELAYS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60)];

/// How many looks there are.
pub(super) const LOOKS: usize = DELAYS.len();

/// The largest key of a BIGINT.
const LARGEST: u64 = i64::MAX as u64;

/// Where the looks stand.
#[derive(Debug)]
pub(super) struct Looks {
    /// The key up to which each of them has come.
    reached: [u64; LOOKS],
    /// The last values of the first one, and when it reached them.
    first: VecDeque<(Instant, u64)>,
    recorded: u64,
}

impl Looks {
    /// Begins behind a key.
    pub(super) fn new(key: u64) -> Self {
        Self { reached: [key; LOOKS], first: VecDeque::new(), recorded: key }
    }

    /// The largest key that was seen.
    pub(super) const fn largest(&self) -> u64 {
        self.reached[0]
    }

    /// The keys that a look is to look at next; none if it has come as far as it may.
    pub(super) fn keys(&self, look: usize, now: Instant) -> Option<RangeInclusive<u64>> {
        let next = self.reached.get(look)? + 1;
        let delay = *DELAYS.get(look)?;
        let last = if delay.is_zero() {
            LARGEST
        } else {
            let old = self.first.iter().rev().find(|(at, _)| now.duration_since(*at) >= delay);
            old.map_or(0, |(_, key)| *key)
        };
        (next <= last).then_some(next..=last)
    }

    /// A look has seen all keys up to one.
    pub(super) fn saw(&mut self, look: usize, key: u64, now: Instant) {
        let Some(reached) = self.reached.get_mut(look) else { return };
        *reached = (*reached).max(key);
        if look == 0 && self.first.back().is_none_or(|(_, last)| *last != key) {
            self.first.push_back((now, key));
        }
        // The last one that every look has come to is enough.
        let longest = DELAYS[LOOKS - 1];
        while self.first.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= longest) {
            self.first.pop_front();
        }
    }

    /// A key to record: no look needs what is before it any more.
    pub(super) fn due_to_record(&self) -> Option<u64> {
        let [.., last] = self.reached;
        (last != self.recorded).then_some(last)
    }

    /// The key was recorded.
    pub(super) const fn recorded(&mut self, key: u64) {
        self.recorded = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_follows_the_first_one_later() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut looks = Looks::new(10);
        assert_eq!(looks.keys(0, start), Some(11..=LARGEST));
        assert_eq!([1, 2, 3].map(|look| looks.keys(look, start)), [None, None, None]);
        looks.saw(0, 20, start);
        looks.saw(0, 30, after(1));
        assert_eq!(looks.keys(0, after(1)), Some(31..=LARGEST));
        assert_eq!(looks.keys(1, after(1)), None);
        assert_eq!(looks.keys(1, after(2)), Some(11..=20));
        looks.saw(1, 15, after(2));
        assert_eq!(looks.keys(1, after(3)), Some(16..=30));
        looks.saw(1, 30, after(3));
        assert_eq!((looks.keys(1, after(4)), looks.due_to_record()), (None, None));
        assert_eq!(looks.keys(2, after(10)), Some(11..=20));
        looks.saw(2, 20, after(10));
        assert_eq!((looks.keys(2, after(11)), looks.due_to_record()), (Some(21..=30), None));
        assert_eq!((looks.keys(3, after(59)), looks.keys(3, after(60))), (None, Some(11..=20)));
        looks.saw(3, 20, after(60));
        assert_eq!(looks.due_to_record(), Some(20));
        looks.recorded(20);
        assert_eq!(looks.due_to_record(), None);
        assert_eq!(looks.largest(), 30);
    }

    #[test]
    fn little_is_remembered() {
        let start = Instant::now();
        let mut looks = Looks::new(0);
        for second in 0..1_000 {
            looks.saw(0, second + 1, start + Duration::from_secs(second));
        }
        assert!(looks.first.len() <= 62, "{}", looks.first.len());
    }
}
