//! Repairs the logs when Redis comes back with less than it had.

use std::time::Duration;

use chatpush_wire::partition::Partitions;
use tokio::time::timeout;

use crate::broker::{BrokerError, log};
use crate::services::Services;

/// How long MySQL may take to report the positions. While it is away, those that this process knows are used.
const POSITIONS_TIMEOUT: Duration = Duration::from_secs(1);

/// Moves every log of these partitions that ends before its position to behind it. A Redis that has lost its tail, or whose clock
/// went back, would otherwise give new entries ids that count as applied, and they would never be read. Call
/// this before Redis sees this daemon, so that no store is accepted in between.
///
/// # Errors
///
/// When Redis cannot be reached.
pub(super) async fn repair(services: &Services, partitions: Partitions) -> Result<(), BrokerError> {
    let Services { commands, prefix, store, positions, .. } = services;
    // Without a database nothing is appended to a log.
    let Some(store) = store else { return Ok(()) };
    match timeout(POSITIONS_TIMEOUT, store.positions()).await {
        Ok(Ok(found)) => positions.advance_all(&found),
        Ok(Err(error)) => tracing::debug!(%error, "cannot read the positions"),
        Err(_) => tracing::debug!("reading the positions timed out"),
    }
    let known: Vec<_> = partitions.iter().map(|partition| (partition, positions.known(partition))).collect();
    log::repair(commands, prefix, &known).await?;
    Ok(())
}
