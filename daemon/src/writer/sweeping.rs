//! When the writer removes what chatpush's own tables need no longer.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock;
use crate::store::StoreError;
use crate::store::apply::WriterConnection;

/// The time between two steps while there is much to remove.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two steps while there is little.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// How far the removal is.
#[derive(Debug)]
pub(super) struct Sweeping {
    due: Instant,
    /// The row id up to which the records were looked at.
    after: u64,
    failover_memory: Duration,
}

impl Sweeping {
    /// Begins with the first record. Without `failover_memory` no confirmed message is remembered.
    pub(super) fn new(failover_memory: Duration) -> Self {
        Self { due: Instant::now() + BUSY_INTERVAL, after: 0, failover_memory }
    }

    /// One step, if it is due. It is small, because messages wait for it.
    ///
    /// # Errors
    ///
    /// If the connection has failed. A step that is refused, or meets a lock, is tried again later.
    pub(super) async fn step_if_due(&mut self, mysql: &mut WriterConnection) -> Result<(), StoreError> {
        if Instant::now() < self.due {
            return Ok(());
        }
        let interval = match self.step(mysql).await {
            Ok(true) => BUSY_INTERVAL,
            Ok(false) => IDLE_INTERVAL,
            Err(error) if error.concerns_entries() => {
                tracing::debug!(%error, "cannot sweep the tables now");
                IDLE_INTERVAL
            }
            Err(error) => return Err(error),
        };
        self.due = Instant::now() + interval;
        Ok(())
    }

    /// True if there may be more.
    async fn step(&mut self, mysql: &mut WriterConnection) -> Result<bool, StoreError> {
        let memory = u64::try_from(self.failover_memory.as_millis()).unwrap_or(u64::MAX);
        let before = clock::unix_milliseconds().saturating_sub(memory);
        let more_confirmed = mysql.forget_confirmed(before).await?;
        let last = mysql.sweep_records(self.after).await?;
        self.after = last.unwrap_or(0);
        Ok(more_confirmed || last.is_some())
    }
}
