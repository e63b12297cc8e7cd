//! The read lists: taking requests off them.

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::aio::MultiplexedConnection;

use super::{BLOCK_TIMEOUT, BrokerError};

/// Takes waiting requests of one partition, the oldest first, at most `most` of them. Waits up to [`BLOCK_TIMEOUT`]
/// for the first. The partition that is looked at first is `first`: a busy one must not starve the others.
///
/// # Errors
///
/// When Redis cannot be reached.
pub(crate) async fn pop(
    connection: &mut MultiplexedConnection,
    prefix: &Prefix,
    first: u8,
    most: usize,
) -> Result<Vec<String>, BrokerError> {
    let mut command = redis::cmd("BLMPOP");
    command.arg(BLOCK_TIMEOUT.as_secs_f64()).arg(Partition::COUNT);
    for step in 0..Partition::COUNT {
        if let Some(partition) = Partition::new((first + step) % Partition::COUNT) {
            command.arg(prefix.query_list(partition));
        }
    }
    command.arg("LEFT").arg("COUNT").arg(most);
    let taken: Option<(String, Vec<String>)> = command.query_async(connection).await?;
    Ok(taken.map(|(_, requests)| requests).unwrap_or_default())
}
