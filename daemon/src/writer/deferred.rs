//! Partitions that another transaction's lock holds back. They are tried again alone, more and more rarely, so
//! that the rest goes on as if they were not there.

use std::collections::HashMap;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use crate::log::position::Position;

/// How long a partition rests at first.
const FIRST_DELAY: Duration = Duration::from_millis(20);

/// How long it rests at most.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The partitions that are set aside, each until when.
#[derive(Debug, Default)]
pub(super) struct Deferred(HashMap<Partition, Delay>);

#[derive(Clone, Copy, Debug)]
struct Delay {
    until: Instant,
    pause: Duration,
}

impl Deferred {
    /// Whether a partition was held back the last time.
    pub(super) fn contains(&self, partition: Partition) -> bool {
        self.0.contains_key(&partition)
    }

    /// Whether it may be tried now.
    pub(super) fn is_ready(&self, partition: Partition) -> bool {
        self.0.get(&partition).is_none_or(|delay| delay.until <= Instant::now())
    }

    /// How long until the next one may be tried.
    pub(super) fn next(&self) -> Duration {
        let next = self.0.values().map(|delay| delay.until.saturating_duration_since(Instant::now())).min();
        next.unwrap_or(Duration::MAX).max(Duration::from_millis(1))
    }

    /// Of those that were tried, the busy ones rest, longer each time, and the others are free again.
    pub(super) fn update(&mut self, tried: &[(Partition, Position)], busy: &[Partition]) {
        for (partition, _) in tried {
            if busy.contains(partition) {
                let pause =
                    self.0.get(partition).map_or(FIRST_DELAY, |delay| (delay.pause * 2).min(MAX_DELAY));
                self.0.insert(*partition, Delay { until: Instant::now() + pause, pause });
            } else {
                self.0.remove(partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_partition_rests_longer_each_time_and_is_free_once_it_went_through() {
        let partition = Partition::new(3).unwrap();
        let tried = [(partition, Position::default())];
        let mut deferred = Deferred::default();
        for pause in [20, 40, 80, 160, 320, 500, 500] {
            assert!(deferred.is_ready(partition));
            deferred.update(&tried, &[partition]);
            assert!(deferred.contains(partition) && !deferred.is_ready(partition));
            assert_eq!(deferred.next(), Duration::from_millis(pause));
            tokio::time::advance(Duration::from_millis(pause)).await;
        }
        deferred.update(&tried, &[]);
        assert!(!deferred.contains(partition) && deferred.next() > Duration::from_secs(9));
    }
}
