//! The Redis side: one connection for commands, one to read the log, one for the read lists, one that holds
//! the subscriptions.

pub(crate) mod commands;
pub(crate) mod error;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod queries;
pub(crate) mod replies;
pub(crate) mod scripts;

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};

pub(crate) use self::commands::Commands;
pub(crate) use self::error::BrokerError;

/// Bound on connecting and on any one command that does not wait by design.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a command that waits for work may wait before it is sent again. A dead peer is noticed then.
pub(crate) const BLOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection of its own for commands that wait: their answer may take [`BLOCK_TIMEOUT`] longer.
///
/// # Errors
///
/// When Redis cannot be reached within the deadline.
pub(crate) async fn blocking_connection(client: &Client) -> Result<MultiplexedConnection, BrokerError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(COMMAND_TIMEOUT))
        .set_response_timeout(Some(BLOCK_TIMEOUT + COMMAND_TIMEOUT));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}
