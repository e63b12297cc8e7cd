//! Up to which key the rows of the message table were looked at.
//!
//! Keys become visible in the order in which their transactions commit, which is not that of the keys. So where keys
//! were missing at the first look, it is looked again when their rows may have been committed since.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

/// How long after the first look each further look comes. A transaction that is open for longer than the last may be
/// missed.
const DELAYS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60)];

/// The largest key of a BIGINT.
const LARGEST: u64 = i64::MAX as u64;

/// Where the looks stand.
#[derive(Debug)]
pub(super) struct Looks {
    /// The key up to which the first look has come.
    reached: u64,
    /// Keys some of which were missing, for each further look, in the order of their first one.
    missing: [VecDeque<Missing>; DELAYS.len()],
    recorded: u64,
}

/// Keys some of which were missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// All of them.
    pub(super) keys: RangeInclusive<u64>,
    /// When the first look was.
    first: Instant,
    /// Which further look comes next.
    look: usize,
}

impl Looks {
    /// Begins behind a key.
    pub(super) fn new(key: u64) -> Self {
        Self { reached: key, missing: Default::default(), recorded: key }
    }

    /// The largest key that was seen.
    pub(super) const fn largest(&self) -> u64 {
        self.reached
    }

    /// The keys that the first look is to look at next.
    pub(super) const fn next(&self) -> RangeInclusive<u64> {
        self.reached + 1..=LARGEST
    }

    /// The first look has seen `count` rows, of which `last` has the largest key.
    pub(super) fn saw(&mut self, last: u64, count: usize, now: Instant) {
        let first = self.reached + 1;
        if last < first {
            return;
        }
        self.reached = last;
        if u64::try_from(count).is_ok_and(|count| count == last - first + 1) {
            return;
        }
        let [next, ..] = &mut self.missing;
        match next.back_mut() {
            Some(missing) if missing.first == now && *missing.keys.end() + 1 == first => {
                missing.keys = *missing.keys.start()..=last;
            }
            _ => next.push_back(Missing { keys: first..=last, first: now, look: 0 }),
        }
    }

    /// Keys that are to be looked at again now.
    pub(super) fn take_missing(&mut self, now: Instant) -> Option<Missing> {
        let is_due = |missing: &Missing, delay| now.duration_since(missing.first) >= delay;
        self.missing
            .iter_mut()
            .zip(DELAYS)
            .find(|(missing, delay)| missing.front().is_some_and(|first| is_due(first, *delay)))
            .and_then(|(missing, _)| missing.pop_front())
    }

    /// These keys were looked at again up to one, or all of them.
    pub(super) fn saw_missing(&mut self, missing: Missing, up_to: Option<u64>) {
        if let Some(key) = up_to {
            let keys = key + 1..=*missing.keys.end();
            if let Some(rest) = self.missing.get_mut(missing.look) {
                rest.push_front(Missing { keys, ..missing });
            }
        } else if let Some(next) = self.missing.get_mut(missing.look + 1) {
            next.push_back(Missing { look: missing.look + 1, ..missing });
        }
    }

    /// A key to record: no look needs what is before it any more.
    pub(super) fn due_to_record(&self) -> Option<u64> {
        let needed = self.missing.iter().filter_map(VecDeque::front).map(|missing| missing.keys.start() - 1);
        let key = needed.fold(self.reached, u64::min);
        (key > self.recorded).then_some(key)
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
    fn what_was_missing_is_looked_at_three_times_more() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut looks = Looks::new(10);
        assert_eq!(looks.next(), 11..=LARGEST);
        looks.saw(20, 10, start);
        assert_eq!((looks.take_missing(after(100)), looks.due_to_record()), (None, Some(20)));
        looks.recorded(20);
        looks.saw(30, 9, start);
        looks.saw(50, 19, start);
        looks.saw(60, 10, after(1));
        assert_eq!((looks.next(), looks.largest()), (61..=LARGEST, 60));
        for (early, late) in [(1, 2), (9, 10), (59, 60)] {
            assert_eq!(looks.take_missing(after(early)), None);
            assert_eq!(looks.due_to_record(), None);
            let missing = looks.take_missing(after(late)).expect("keys were missing");
            assert_eq!(missing.keys, 21..=50);
            looks.saw_missing(missing, Some(40));
            let rest = looks.take_missing(after(late)).expect("some are left");
            assert_eq!(rest.keys, 41..=50);
            looks.saw_missing(Missing { keys: 21..=50, ..rest }, None);
        }
        assert_eq!((looks.take_missing(after(1_000)), looks.due_to_record()), (None, Some(60)));
    }

    #[test]
    fn one_look_is_one_stretch() {
        let start = Instant::now();
        let mut looks = Looks::new(0);
        for look in 0..60 {
            let now = start + Duration::from_secs(look);
            for _ in 0..100 {
                looks.saw(looks.largest() + 500, 499, now);
            }
        }
        assert_eq!(looks.missing[0].len(), 60);
        looks.saw(looks.largest(), 0, start);
        assert_eq!((looks.largest(), looks.missing[0].len()), (60 * 100 * 500, 60));
    }
}
