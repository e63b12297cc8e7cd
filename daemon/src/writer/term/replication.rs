//! The wait for replicas of Redis before a commit (`redis.replicas`).

use std::collections::BTreeSet;

use chatpush_wire::partition::Partition;

use super::Term;
use crate::base::backoff::{Backoff, Failure as _};
use crate::broker::BrokerError;
use crate::broker::log_reader::LogReader;
use crate::log::batch::LogEntry;

impl Term<'_> {
    /// The partitions of entries that too few replicas have. Nothing of them is committed: a failover could take back
    /// what the caller was told, and what only the log knows.
    pub(super) async fn unreplicated(
        &self,
        logs: &mut LogReader,
        entries: &[LogEntry],
        replicas: &mut Backoff,
    ) -> Result<Vec<Partition>, BrokerError> {
        let partitions: BTreeSet<_> = entries.iter().map(|logged| logged.partition).collect();
        let late = logs.unreplicated(&partitions).await?;
        if let Some(shortage) = &late.shortage {
            self.services.replicas_error.failed(shortage.report());
            replicas.note(shortage);
        }
        Ok(late.partitions)
    }
}
