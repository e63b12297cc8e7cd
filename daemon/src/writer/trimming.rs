//! Trimming of the logs: entries that are applied are removed at intervals. After each batch it would be a
//! large part of Redis's work.

use std::collections::BTreeMap;
use std::time::Duration;

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::Pipeline;
use tokio::time::Instant;

use crate::broker::log;
use crate::log::position::Position;

/// How long applied entries stay in the log.
const TRIM_INTERVAL: Duration = Duration::from_millis(100);

/// How far the logs can be trimmed, and when that is due.
#[derive(Debug)]
pub(super) struct Trimming {
    applied: BTreeMap<Partition, Position>,
    due: Instant,
}

impl Trimming {
    /// Logs that can be trimmed at once.
    pub(super) fn new(applied: impl IntoIterator<Item = (Partition, Position)>) -> Self {
        Self { applied: applied.into_iter().collect(), due: Instant::now() }
    }

    /// Records that a partition is applied up to `position`.
    pub(super) fn add(&mut self, partition: Partition, position: Position) {
        if self.applied.is_empty() {
            self.due = Instant::now() + TRIM_INTERVAL;
        }
        self.applied.insert(partition, position);
    }

    /// How long until trimming is due, if there is something to trim.
    pub(super) fn next(&self) -> Option<Duration> {
        (!self.applied.is_empty()).then(|| self.due.saturating_duration_since(Instant::now()))
    }

    /// Adds the commands that trim the logs to a pipeline, if that is due or this is the last call.
    pub(super) fn trim(&mut self, pipeline: &mut Pipeline, prefix: &Prefix, last: bool) {
        if last || self.due <= Instant::now() {
            for (partition, position) in std::mem::take(&mut self.applied) {
                log::trim(pipeline, prefix, partition, position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_batches_of_an_interval_are_trimmed_at_once() {
        let prefix = Prefix::default();
        let partition = Partition::new(3).unwrap();
        let mut trimming = Trimming::new([]);
        assert_eq!(trimming.next(), None);
        let mut pipeline = redis::pipe();
        for position in ["5-0", "6-0"] {
            trimming.add(partition, position.parse().unwrap());
            trimming.trim(&mut pipeline, &prefix, false);
            assert!(pipeline.is_empty());
            tokio::time::advance(TRIM_INTERVAL / 2).await;
        }
        trimming.trim(&mut pipeline, &prefix, false);
        let sent = String::from_utf8(pipeline.get_packed_pipeline()).unwrap();
        assert!(sent.matches("XTRIM").count() == 1 && sent.contains("6-1"), "{sent}");
        assert_eq!(trimming.next(), None);
        trimming.add(partition, "7-0".parse().unwrap());
        trimming.trim(&mut pipeline, &prefix, true);
        assert_eq!(trimming.next(), None);
    }
}
