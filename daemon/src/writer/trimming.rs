//! Trimming of the logs. Applied entries are kept for some seconds: a MySQL that is not durable loses its last
//! commits in a crash, and they are applied again. While MySQL is down, however long, nothing is removed.
//! Entries are removed at intervals; after each batch it would be a large part of Redis's work.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::Pipeline;
use tokio::time::Instant;

use crate::base::fault_injection::{self, Promise};
use crate::broker::log;
use crate::log::position::Position;

/// How long applied entries stay in the log.
const KEEP_TIME: Duration = Duration::from_secs(5);

/// Most applied entries that stay in the log of a partition: a tenth of what it may hold.
const KEEP_ENTRIES: usize = 10_000;

/// How long, and how many times as many, if they are still needed.
const NEEDED_TIME: Duration = Duration::from_secs(60);
const NEEDED: usize = 5;

/// Most bytes of applied entries that stay in all logs.
const KEEP_BYTES: usize = 32 * 1024 * 1024;

/// How often the logs are trimmed. What is applied in between is removed together.
pub(super) const TRIM_INTERVAL: Duration = Duration::from_millis(100);

/// The applied entries that are in the logs, and when they can be removed.
#[derive(Debug, Default)]
pub(super) struct Trimming {
    applied: BTreeMap<Partition, VecDeque<Span>>,
    bytes: usize,
}

/// Applied entries that are removed together.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// When the first of them was applied.
    since: Instant,
    /// The id of the last.
    end: Position,
    entries: usize,
    bytes: usize,
}

impl Trimming {
    /// The logs as another writer has left them.
    pub(super) fn new(applied: impl IntoIterator<Item = (Partition, Position)>) -> Self {
        let mut trimming = Self::default();
        for (partition, position) in applied {
            trimming.add(partition, position, 0, 0);
        }
        trimming
    }

    /// Records that entries of a partition are applied, up to `end`.
    pub(super) fn add(&mut self, partition: Partition, end: Position, entries: usize, bytes: usize) {
        self.bytes += bytes;
        let spans = self.applied.entry(partition).or_default();
        let now = Instant::now();
        match spans.back_mut().filter(|span| now < span.since + TRIM_INTERVAL) {
            Some(span) => {
                *span = Span { end, entries: span.entries + entries, bytes: span.bytes + bytes, ..*span };
            }
            None => spans.push_back(Span { since: now, end, entries, bytes }),
        }
    }

    /// Tries again, later, what Redis has refused: to trim the logs up to `applied`.
    pub(super) fn postpone(&mut self, applied: impl IntoIterator<Item = (Partition, Position)>) {
        for (partition, position) in applied {
            self.add(partition, position, 0, 0);
        }
    }

    /// Whether something was kept long enough, by the time alone.
    pub(super) fn is_due(&self) -> bool {
        self.next().is_some_and(|next| next.is_zero())
    }

    /// How long until trimming is due, if there is something to trim.
    pub(super) fn next(&self) -> Option<Duration> {
        let first = self.applied.values().filter_map(VecDeque::front).map(|span| span.since).min()?;
        Some((first + KEEP_TIME + TRIM_INTERVAL).saturating_duration_since(Instant::now()))
    }

    /// Adds the commands that remove what was kept long enough, or is too much to be kept. `answered` is when
    /// the connection that has applied it answered last: the time in which nobody knows whether MySQL has
    /// crashed does not count. What was applied from `needed` on stays longer, and more of it.
    pub(super) fn trim(
        &mut self,
        answered: Instant,
        needed: Option<Instant>,
        pipeline: &mut Pipeline,
        prefix: &Prefix,
    ) {
        for (partition, spans) in &mut self.applied {
            let mut entries: usize = spans.iter().map(|span| span.entries).sum();
            let mut end = None;
            while let Some(span) = spans.front().copied() {
                let is_needed = needed.is_some_and(|needed| span.since + TRIM_INTERVAL >= needed);
                let (time, times) = if is_needed { (NEEDED_TIME, NEEDED) } else { (KEEP_TIME, 1) };
                let old = span.since + time <= answered || fault_injection::breaks(Promise::Replay);
                // The newest span still grows.
                let many =
                    spans.len() > 1 && (entries > KEEP_ENTRIES * times || self.bytes > KEEP_BYTES * times);
                if !old && !many {
                    break;
                }
                spans.pop_front();
                entries -= span.entries;
                self.bytes -= span.bytes;
                end = Some(span.end);
            }
            if let Some(end) = end {
                log::trim(pipeline, prefix, *partition, end);
            }
        }
        self.applied.retain(|_, spans| !spans.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trimmed(trimming: &mut Trimming) -> String {
        let mut pipeline = redis::pipe();
        trimming.trim(Instant::now(), None, &mut pipeline, &Prefix::default());
        String::from_utf8(pipeline.get_packed_pipeline()).unwrap()
    }

    fn add(trimming: &mut Trimming, position: &str, entries: usize, bytes: usize) {
        trimming.add(Partition::new(3).unwrap(), position.parse().unwrap(), entries, bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn applied_entries_are_kept_for_some_seconds_and_removed_together() {
        let mut trimming = Trimming::default();
        assert_eq!(trimming.next(), None);
        add(&mut trimming, "5-0", 1, 10);
        add(&mut trimming, "6-0", 1, 10);
        assert_eq!(trimmed(&mut trimming), "");
        tokio::time::advance(trimming.next().unwrap()).await;
        add(&mut trimming, "7-0", 1, 10);
        let sent = trimmed(&mut trimming);
        assert!(sent.matches("XTRIM").count() == 1 && sent.contains("6-1"), "{sent}");
        assert_eq!((trimmed(&mut trimming), trimming.bytes), (String::new(), 10));
        tokio::time::advance(trimming.next().unwrap()).await;
        assert!(trimmed(&mut trimming).contains("7-1"));
        assert_eq!((trimming.next(), trimming.bytes), (None, 0));
    }

    /// MySQL may have crashed meanwhile.
    #[tokio::test(start_paused = true)]
    async fn time_without_an_answer_does_not_count() {
        let mut trimming = Trimming::default();
        add(&mut trimming, "5-0", 1, 10);
        let answered = Instant::now();
        tokio::time::advance(KEEP_TIME * 10).await;
        assert!(trimming.is_due());
        let mut pipeline = redis::pipe();
        trimming.trim(answered, None, &mut pipeline, &Prefix::default());
        assert!(pipeline.is_empty());
        assert!(trimmed(&mut trimming).contains("5-1"));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_entries_or_bytes_are_not_kept() {
        for (entries, bytes) in [(KEEP_ENTRIES, 1), (1, KEEP_BYTES)] {
            let mut trimming = Trimming::default();
            add(&mut trimming, "5-0", entries, bytes);
            assert_eq!(trimmed(&mut trimming), "", "the newest ones are kept");
            tokio::time::advance(TRIM_INTERVAL).await;
            add(&mut trimming, "6-0", 1, 1);
            assert!(trimmed(&mut trimming).contains("5-1"));
            assert_eq!(trimmed(&mut trimming), "");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_needed_stays_longer() {
        let mut trimming = Trimming::default();
        let needed = Instant::now();
        add(&mut trimming, "5-0", KEEP_ENTRIES, KEEP_BYTES);
        tokio::time::advance(TRIM_INTERVAL).await;
        add(&mut trimming, "6-0", 1, 1);
        let mut pipeline = redis::pipe();
        trimming.trim(Instant::now(), Some(needed), &mut pipeline, &Prefix::default());
        assert!(pipeline.is_empty());
        tokio::time::advance(KEEP_TIME).await;
        trimming.trim(Instant::now(), Some(needed), &mut pipeline, &Prefix::default());
        assert!(pipeline.is_empty());
        tokio::time::advance(NEEDED_TIME).await;
        trimming.trim(Instant::now(), Some(needed), &mut pipeline, &Prefix::default());
        assert!(!pipeline.is_empty(), "not without end");
    }
}
