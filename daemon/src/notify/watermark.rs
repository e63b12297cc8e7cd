//! Up to which key the rows of the message table were looked at.
//!
//! Keys become visible in the order in which their transactions commit. So a key that was skipped is looked for
//! for a while, and the recorded key is one from some time ago.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

/// How long a transaction may be open without its rows being missed.
const OPEN_TIME: Duration = Duration::from_secs(10);

/// Most ranges of skipped keys that are looked for. Beyond it the oldest ones are not any more.
const GAPS: usize = 256;

/// Most keys in them. The rows of these ranges were mostly deleted, and a query may still meet them.
const GAP_KEYS: u64 = 20_000;

/// Ranges that are so many keys apart are one: keys that grow by more than one leave a gap at each row.
const NEAR: u64 = 16;

/// The largest key of a BIGINT.
const LARGEST: u64 = i64::MAX as u64;

/// Where the looking stands.
#[derive(Debug)]
pub(super) struct Watermark {
    scanned: u64,
    /// Ranges of skipped keys, ascending, and when they were skipped.
    gaps: VecDeque<(RangeInclusive<u64>, Instant)>,
    /// The last values of `scanned`, and when they were reached.
    reached: VecDeque<(Instant, u64)>,
    recorded: u64,
}

impl Watermark {
    /// Begins behind a key.
    pub(super) fn new(scanned: u64) -> Self {
        Self { scanned, gaps: VecDeque::new(), reached: VecDeque::new(), recorded: scanned }
    }

    /// The largest key that was seen.
    pub(super) const fn scanned(&self) -> u64 {
        self.scanned
    }

    /// The keys to look for.
    pub(super) fn ranges(&mut self, now: Instant) -> Vec<RangeInclusive<u64>> {
        self.gaps.retain(|(_, since)| now.duration_since(*since) < OPEN_TIME);
        let mut keys: u64 = self.gaps.iter().map(|(range, _)| range.end() - range.start() + 1).sum();
        while self.gaps.len() > GAPS || keys > GAP_KEYS {
            let Some((range, since)) = self.gaps.pop_front() else { break };
            let length = range.end() - range.start() + 1;
            keys -= length;
            if keys < GAP_KEYS && self.gaps.len() < GAPS {
                // The end of a long range is kept.
                let kept = (GAP_KEYS - keys).min(length);
                if kept < length {
                    self.gaps.push_front((range.end() - kept + 1..=*range.end(), since));
                }
                break;
            }
        }
        let gaps = self.gaps.iter().map(|(range, _)| range.clone());
        gaps.chain([self.scanned + 1..=LARGEST]).collect()
    }

    /// Takes the keys that were found in these ranges, ascending.
    pub(super) fn saw(&mut self, keys: &[u64], now: Instant) {
        let new = keys.partition_point(|key| *key <= self.scanned);
        for key in &keys[..new] {
            self.fill(*key);
        }
        for key in &keys[new..] {
            if self.scanned + 1 < *key {
                self.skip(self.scanned + 1..=key - 1, now);
            }
            self.scanned = *key;
        }
        if self.reached.back().is_none_or(|(_, reached)| *reached != self.scanned) {
            self.reached.push_back((now, self.scanned));
        }
    }

    fn skip(&mut self, range: RangeInclusive<u64>, now: Instant) {
        if let Some((last, since)) = self.gaps.back_mut()
            && *since == now
            && range.start() - last.end() <= NEAR
        {
            *last = *last.start()..=*range.end();
            return;
        }
        self.gaps.push_back((range, now));
    }

    /// A key of a skipped range was found.
    fn fill(&mut self, key: u64) {
        let Some(at) = self.gaps.iter().position(|(range, _)| range.contains(&key)) else { return };
        let Some((range, since)) = self.gaps.remove(at) else { return };
        if key < *range.end() {
            self.gaps.insert(at, (key + 1..=*range.end(), since));
        }
        if *range.start() < key {
            self.gaps.insert(at, (*range.start()..=key - 1, since));
        }
    }

    /// A key to record: everything before it was looked at long enough ago.
    pub(super) fn due_to_record(&mut self, now: Instant) -> Option<u64> {
        let mut old = None;
        while let Some((at, reached)) = self.reached.front() {
            if now.duration_since(*at) < OPEN_TIME {
                break;
            }
            old = Some(*reached);
            self.reached.pop_front();
        }
        old.filter(|key| *key != self.recorded)
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
    fn skipped_keys_are_looked_for_until_they_are_found() {
        let now = Instant::now();
        let mut watermark = Watermark::new(10);
        assert_eq!(watermark.ranges(now), [11..=LARGEST]);
        watermark.saw(&[11, 13, 40, 41, 60], now);
        assert_eq!(watermark.ranges(now), [12..=59, 61..=LARGEST], "13 and others are read once more");
        watermark.saw(&[13, 20, 40, 41, 42, 61], now);
        assert_eq!(watermark.ranges(now), [12..=12, 14..=19, 21..=39, 43..=59, 62..=LARGEST]);
        watermark.saw(&[12, 14, 19, 21, 39], now);
        assert_eq!(watermark.ranges(now), [15..=18, 22..=38, 43..=59, 62..=LARGEST]);
        assert_eq!(watermark.ranges(now + OPEN_TIME), [62..=LARGEST]);
    }

    #[test]
    fn gaps_at_every_row_are_one_range() {
        let now = Instant::now();
        let mut watermark = Watermark::new(0);
        let keys: Vec<_> = (1..=1_000).map(|row| row * 3).collect();
        watermark.saw(&keys, now);
        assert_eq!(watermark.ranges(now), [1..=2_999, 3_001..=LARGEST]);
    }

    #[test]
    fn the_oldest_skipped_keys_are_given_up() {
        let now = Instant::now();
        let mut watermark = Watermark::new(0);
        watermark.saw(&[100_000], now);
        assert_eq!(watermark.ranges(now), [80_000..=99_999, 100_001..=LARGEST], "the last 20,000 keys");
        for row in 1..=1_000 {
            watermark.saw(&[100_000 + row * 20], now + Duration::from_millis(row));
        }
        let ranges = watermark.ranges(now + Duration::from_secs(2));
        assert!(ranges.len() <= GAPS + 1, "{}", ranges.len());
        assert_eq!(ranges.last(), Some(&(120_001..=LARGEST)));
        assert_eq!(ranges[ranges.len() - 2].end(), &119_999);
    }

    #[test]
    fn what_is_recorded_was_seen_some_time_ago() {
        let now = Instant::now();
        let mut watermark = Watermark::new(5);
        watermark.saw(&[6], now);
        watermark.saw(&[7], now + Duration::from_secs(5));
        assert_eq!(watermark.due_to_record(now + Duration::from_secs(9)), None);
        assert_eq!(watermark.due_to_record(now + OPEN_TIME), Some(6));
        watermark.recorded(6);
        assert_eq!(watermark.due_to_record(now + OPEN_TIME), None);
        assert_eq!(watermark.due_to_record(now + OPEN_TIME * 2), Some(7));
    }
}
