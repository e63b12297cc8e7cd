//! The forgetting of users, in steps: others do not wait for a mailbox that is very full.

use chatpush_wire::partition::Partition;

use super::Term;
use crate::log::batch::LogEntry;
use crate::store::StoreError;

impl Term<'_> {
    /// Takes one step for each user to forget, and drops the entries of those of whom more is left than one
    /// transaction should remove. Returns their partitions, which are read again.
    pub(super) async fn forget_in_steps(
        &mut self,
        entries: &mut Vec<LogEntry>,
    ) -> Result<Vec<Partition>, StoreError> {
        let mut unfinished = Vec::new();
        for logged in entries.iter() {
            let Some(user) = logged.forgotten() else { continue };
            let at = self.position(logged.partition);
            match self.mysql.forget_some(logged.partition, at, user).await {
                Ok(true) => unfinished.push(logged.partition),
                Ok(false) => {}
                // The entry meets the same error, and is treated as any other.
                Err(error) if error.concerns_entries() => {
                    tracing::debug!(partition = %logged.partition, %error, "cannot forget a user now");
                }
                Err(error) => return Err(error),
            }
        }
        entries.retain(|logged| !unfinished.contains(&logged.partition));
        Ok(unfinished)
    }
}
