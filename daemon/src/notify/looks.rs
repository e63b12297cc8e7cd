//! Up to which key the rows of the message table were looked at.
//!
//! Keys become visible in the order in which their transactions commit, which is not that of the keys. So where keys
//! were missing at the first look, it is looked again when their rows may have been committed since.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::notified::Scanned;

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
    recorded: Scanned,
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
        let recorded = Scanned { for_good: key, reached: key };
        Self { reached: key, missing: Default::default(), recorded }
    }

    /// Begins where it is recorded.
    pub(super) fn recorded_at(recorded: Scanned) -> Self {
        Self { recorded, ..Self::new(recorded.for_good) }
    }

    /// Goes back to what was recorded last, if that is still there: then MySQL has lost nothing of what was looked at
    /// before. Keys behind may be given to other rows by now. Returns whether it is there.
    pub(super) fn go_back(&mut self, recorded: Scanned) -> bool {
        if recorded != self.recorded {
            return false;
        }
        self.reached = self.reached.min(recorded.reached);
        for missing in &mut self.missing {
            missing.retain(|missing| *missing.keys.start() <= self.reached);
            for Missing { keys, .. } in missing {
                *keys = *keys.start()..=self.reached.min(*keys.end());
            }
        }
        true
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
    pub(super) fn due_missing(&self, now: Instant) -> Option<Missing> {
        let first = self.missing.iter().zip(DELAYS);
        let mut first = first.filter_map(|(missing, delay)| Some((missing.front()?, delay)));
        let due = first.find(|(first, delay)| now.duration_since(first.first) >= *delay);
        due.map(|(first, _)| first.clone())
    }

    /// These keys, which were due, were looked at again up to one, or all of them.
    pub(super) fn saw_missing(&mut self, missing: Missing, up_to: Option<u64>) {
        if let Some(due) = self.missing.get_mut(missing.look) {
            due.pop_front();
        }
        if let Some(key) = up_to {
            let keys = key + 1..=*missing.keys.end();
            if let Some(rest) = self.missing.get_mut(missing.look) {
                rest.push_front(Missing { keys, ..missing });
            }
        } else if let Some(next) = self.missing.get_mut(missing.look + 1) {
            next.push_back(Missing { look: missing.look + 1, ..missing });
        }
    }

    /// What is to be recorded.
    pub(super) fn due_to_record(&self) -> Option<Scanned> {
        let needed = self.missing.iter().filter_map(VecDeque::front).map(|missing| missing.keys.start() - 1);
        let scanned = Scanned { for_good: needed.fold(self.reached, u64::min), reached: self.reached };
        (scanned != self.recorded).then_some(scanned)
    }

    /// That was recorded.
    pub(super) const fn recorded(&mut self, scanned: Scanned) {
        self.recorded = scanned;
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
        let scanned = |for_good, reached| Some(Scanned { for_good, reached });
        assert_eq!((looks.due_missing(after(100)), looks.due_to_record()), (None, scanned(20, 20)));
        looks.recorded(Scanned { for_good: 20, reached: 20 });
        looks.saw(30, 9, start);
        looks.saw(50, 19, start);
        looks.saw(60, 10, after(1));
        assert_eq!((looks.next(), looks.largest()), (61..=LARGEST, 60));
        for (early, late) in [(1, 2), (9, 10), (59, 60)] {
            assert_eq!(looks.due_missing(after(early)), None);
            assert_eq!(looks.due_to_record(), scanned(20, 60));
            let missing = looks.due_missing(after(late)).expect("keys were missing");
            assert_eq!(missing.keys, 21..=50);
            looks.saw_missing(missing, Some(40));
            let rest = looks.due_missing(after(late)).expect("some are left");
            assert_eq!(rest.keys, 41..=50);
            looks.saw_missing(Missing { keys: 21..=50, ..rest }, None);
        }
        assert_eq!((looks.due_missing(after(1_000)), looks.due_to_record()), (None, scanned(60, 60)));
    }

    #[test]
    fn what_was_recorded_is_trusted_while_it_is_there() {
        let start = Instant::now();
        let mut looks = Looks::new(0);
        looks.saw(10, 9, start);
        let recorded = looks.due_to_record().expect("it is new");
        looks.recorded(recorded);
        // Not recorded yet.
        looks.saw(15, 3, start);
        looks.saw(30, 9, start + Duration::from_secs(1));
        assert!(looks.go_back(recorded));
        assert_eq!((looks.next(), looks.due_to_record()), (11..=LARGEST, None));
        let missing = looks.due_missing(start + Duration::from_secs(9)).expect("keys were missing");
        assert_eq!((missing.keys, missing.first), (1..=10, start));
        assert_eq!(looks.missing[0].len(), 1);
        assert!(!looks.go_back(Scanned { for_good: 0, reached: 9 }));
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
