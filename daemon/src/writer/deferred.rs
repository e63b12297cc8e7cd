//! Partitions that are deferred because another transaction has locked their rows, or because too few replicas of Redis
//! have their entries. Each is tried again with growing delays, so that the others are not held up.

use std::collections::HashMap;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use crate::log::position::Position;

/// The delay after the first failure.
const FIRST_DELAY: Duration = Duration::from_millis(20);

/// The longest delay.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The deferred partitions.
#[derive(Debug, Default)]
pub(super) struct Deferred(HashMap<Partition, Delay>);

#[derive(Clone, Copy, Debug)]
struct Delay {
    until: Instant,
    pause: Duration,
}

impl Deferred {
    /// Whether the last try of a partition failed.
    pub(super) fn contains(&self, partition: Partition) -> bool {
        self.0.contains_key(&partition)
    }

    /// Whether none is deferred.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a partition may be tried now.
    pub(super) fn is_ready(&self, partition: Partition) -> bool {
        self.0.get(&partition).is_none_or(|delay| delay.until <= Instant::now())
    }

    /// How long until the next partition may be tried.
    pub(super) fn next(&self) -> Duration {
        let next = self.0.values().map(|delay| delay.until.saturating_duration_since(Instant::now())).min();
        next.unwrap_or(Duration::MAX).max(Duration::from_millis(1))
    }

    /// Records the outcome: of the partitions that were tried, the busy ones are deferred, the others are not
    /// any more.
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
    async fn delays_grow_while_a_partition_is_busy_and_end_with_its_success() {
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
