//! The barrier: what was accepted before a question is in MySQL before it is answered.

use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::timeout;

use crate::base::fault_injection::{self, Promise};
use crate::log::position::{Position, Positions};
use crate::store::Store;

/// How long a stand-by waits before it first asks MySQL.
const FIRST_LOOK: Duration = Duration::from_millis(2);

/// How long it waits between two later looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Returns once MySQL holds everything up to `position`. The writer hears of its own commits at once; a
/// stand-by asks MySQL, soon at first and then more rarely, and for all who wait at once. While MySQL is away
/// the wait goes on; whoever waits has a deadline of its own.
pub async fn wait_until_applied(
    positions: &Positions,
    store: &Store,
    partition: Partition,
    position: Position,
) {
    if fault_injection::breaks(Promise::Barrier) {
        return;
    }
    let mut pause = FIRST_LOOK;
    while !positions.has_reached(partition, position) {
        if timeout(pause, positions.reached(partition, position)).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        if positions.take_turn(FIRST_LOOK)
            && let Ok(found) = store.positions().await
        {
            positions.advance_all(&found);
        }
    }
}
