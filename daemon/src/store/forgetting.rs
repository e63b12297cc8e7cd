//! The removal, step by step, of what is kept of a user.

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::StoreError;
use super::multi_statement::ResultUse;
use super::statements::forget;
use super::writer_connection::{Locks, WriterConnection};
use crate::log::batch::{FORGOTTEN_ROWS, PositionUpdate};
use crate::log::position::Position;

impl WriterConnection {
    /// Removes some of what is kept of a user, while the partition's position is `at`. Returns whether there may be
    /// more than a transaction should remove.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::apply`].
    pub(crate) async fn forget_some(
        &mut self,
        partition: Partition,
        at: Position,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let update = PositionUpdate { partition, from: at, to: at };
        let mut statements = self.begin(&[update], Locks::NoWait);
        let step = forget::rows(&self.tables, partition, user, Some(FORGOTTEN_ROWS));
        let limit = self.limit(step.len() * FORGOTTEN_ROWS as usize);
        for statement in step {
            statements.push(ResultUse::AffectedRows, statement);
        }
        self.add_end(&mut statements, &[update]);
        let changed = self.execute_within(limit, statements).await?.affected_rows;
        Ok(changed.into_iter().any(|rows| rows >= u64::from(FORGOTTEN_ROWS)))
    }
}
