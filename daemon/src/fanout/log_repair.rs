//! What has to be done to the logs after Redis came back with less than it had.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use tokio::time::timeout;

use crate::broker::{BrokerError, Commands, log};
use crate::log::position::Positions;
use crate::store::Store;

/// How long MySQL is asked for the positions. While it is away, what this process knows of them has to do.
const POSITIONS_TIMEOUT: Duration = Duration::from_secs(1);

/// Moves logs behind what MySQL has applied. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct LogRepair {
    /// Redis.
    pub commands: Commands,
    /// The start of every Redis name.
    pub prefix: Prefix,
    /// MySQL.
    pub store: Store,
    /// How far the log is applied.
    pub positions: Arc<Positions>,
}

impl LogRepair {
    /// Repairs every log that ends before its position: a Redis that has lost its tail, or whose clock went
    /// back, would give new entries ids that count as applied, and they would never be read. It is done before
    /// Redis is told of this daemon, so that no store is taken in between that somebody waits for.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn logs(&self) -> Result<(), BrokerError> {
        match timeout(POSITIONS_TIMEOUT, self.store.positions()).await {
            Ok(Ok(found)) => self.positions.advance_all(&found),
            Ok(Err(error)) => tracing::debug!(%error, "the positions cannot be read"),
            Err(_) => tracing::debug!("the positions cannot be read in time"),
        }
        for partition in Partition::all() {
            log::repair(&self.commands, &self.prefix, partition, self.positions.known(partition)).await?;
        }
        Ok(())
    }
}
