//! The barrier: a query or replay waits until MySQL holds everything that was accepted before it.

use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::timeout;

use crate::base::fault_injection::{self, Promise};
use crate::log::position::{Position, Positions};
use crate::store::Store;

/// How long a daemon that is not the writer waits before it first asks MySQL, and the least time between two
/// questions of all its tasks.
const INITIAL_INTERVAL: Duration = Duration::from_millis(2);

/// The longest interval between two questions of one task.
const MAX_INTERVAL: Duration = Duration::from_millis(100);

/// Returns once the partition's log is applied to MySQL up to `position`. The writer learns of its own
/// commits at once. Other daemons ask MySQL for the positions, at growing intervals and once for all tasks
/// that wait. While MySQL is away the wait goes on; the caller has the deadline.
pub(crate) async fn wait_until_applied(
    positions: &Positions,
    store: &Store,
    partition: Partition,
    position: Position,
) {
    if fault_injection::breaks(Promise::Barrier) {
        return;
    }
    let mut interval = INITIAL_INTERVAL;
    while !positions.has_reached(partition, position) {
        if timeout(interval, positions.wait_for(partition, position)).await.is_ok() {
            return;
        }
        interval = (interval * 2).min(MAX_INTERVAL);
        if positions.claim_poll(INITIAL_INTERVAL)
            && let Ok(found) = store.positions().await
        {
            positions.advance_all(&found);
        }
    }
}
