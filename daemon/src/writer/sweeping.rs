//! When the writer removes what chatpush's own tables need no longer.

use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::Instant;

use crate::base::clock;
use crate::log::position::Position;
use crate::store::StoreError;
use crate::store::sweep_parts::PartKey;
use crate::store::writer_connection::WriterConnection;

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
    /// The keys up to which our counters and the clears of conversations were looked at.
    after_part: Option<PartKey>,
    after_clear: Option<PartKey>,
    failover_memory: Duration,
}

impl Sweeping {
    /// Begins with the first record. Without `failover_memory` no confirmed message is remembered.
    pub(super) fn new(failover_memory: Duration) -> Self {
        let due = Instant::now() + BUSY_INTERVAL;
        Self { due, after: 0, after_part: None, after_clear: None, failover_memory }
    }

    /// One step, if it is due. It is small, because messages wait for it. `applied` is the position of a
    /// user's partition.
    ///
    /// # Errors
    ///
    /// If the connection has failed. A step that is refused, or meets a lock, is tried again later.
    pub(super) async fn step_if_due(
        &mut self,
        mysql: &mut WriterConnection,
        applied: impl Fn(&UserId) -> Position,
    ) -> Result<(), StoreError> {
        if Instant::now() < self.due {
            return Ok(());
        }
        let interval = match self.step(mysql, applied).await {
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
    async fn step(
        &mut self,
        mysql: &mut WriterConnection,
        applied: impl Fn(&UserId) -> Position,
    ) -> Result<bool, StoreError> {
        let before = clock::unix_milliseconds().saturating_sub(clock::milliseconds(self.failover_memory));
        let more_confirmed = mysql.forget_confirmed(before).await?;
        let last = mysql.sweep_records(self.after).await?;
        self.after = last.unwrap_or(0);
        self.after_clear = mysql.sweep_conversation_clears(self.after_clear.take()).await?;
        self.after_part = mysql.sweep_parts(self.after_part.take(), applied).await?;
        let more_parts = self.after_clear.is_some() || self.after_part.is_some();
        Ok(more_confirmed || more_parts || last.is_some())
    }
}
