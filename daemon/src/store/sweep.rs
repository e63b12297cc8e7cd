//! Removal, step by step, of what chatpush's own tables need no longer: memories of confirmed messages that
//! are old enough, and records whose row the application has deleted.

use super::StoreError;
use super::statements::sweep;
use super::writer_connection::WriterConnection;

/// Most rows of each kind in one step.
const STEP: u32 = 1_000;

impl WriterConnection {
    /// Forgets messages that were confirmed before `before_ms`. True if there may be more.
    pub(crate) async fn forget_confirmed(&mut self, before_ms: u64) -> Result<bool, StoreError> {
        let deleted = self.change(sweep::forget_confirmed(before_ms, STEP), STEP as usize).await?;
        Ok(deleted == u64::from(STEP))
    }

    /// Deletes those of the next records, from the row id `after` on, whose row is gone. Returns the id of the
    /// last one, or none at the end of the table. No row comes back with its old id, and only this connection
    /// inserts records.
    pub(crate) async fn sweep_records(&mut self, after: u64) -> Result<Option<u64>, StoreError> {
        let records = self.select(sweep::select_records(self.tables(), after, STEP)).await?;
        let records: Vec<(u64, bool)> =
            records.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok()).collect();
        let gone: Vec<_> = records.iter().filter(|(_, gone)| *gone).map(|(id, _)| *id).collect();
        if !gone.is_empty() {
            self.change(sweep::delete_records(&gone), gone.len()).await?;
        }
        Ok(records.last().map(|(id, _)| *id).filter(|_| records.len() == STEP as usize))
    }
}
