//! The query lists.

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::{BLOCK_TIMEOUT, BrokerError, Connection};

/// Pops up to `count` queries of one partition, oldest first. Waits up to [`BLOCK_TIMEOUT`] for one. The
/// lists are tried from the partition `first` on, so that a caller that varies it lets no busy partition
/// starve the others.
pub(crate) async fn pop(
    connection: &mut Connection,
    prefix: &Prefix,
    first: u8,
    count: usize,
) -> Result<Vec<String>, BrokerError> {
    let mut command = redis::cmd("BLMPOP");
    command.arg(BLOCK_TIMEOUT.as_secs_f64()).arg(Partition::COUNT);
    for step in 0..Partition::COUNT {
        if let Some(partition) = Partition::new((first + step) % Partition::COUNT) {
            command.arg(prefix.query_list(partition));
        }
    }
    command.arg("LEFT").arg("COUNT").arg(count);
    let popped: Option<(String, Vec<String>)> = connection.command(&command).await?;
    Ok(popped.map(|(_, queries)| queries).unwrap_or_default())
}
