//! Redis: commands, the log, the writer's lease, query lists, replies.
//!
//! A daemon holds up to four connections: one for commands, one that reads the query lists, one that holds
//! the subscriptions (`fanout`), and one that reads the log while the daemon is the writer. In a cluster, it holds those
//! for commands and subscriptions to each master, and those that read lists and logs for each partition.

pub(crate) mod answers;
pub(crate) mod backlog;
pub(crate) mod clock;
pub(crate) mod commands;
pub(crate) mod connection;
pub(crate) mod error;
mod failure;
pub(crate) mod heartbeats;
mod installation;
pub(crate) mod lease;
pub(crate) mod log;
pub(crate) mod log_reader;
pub(crate) mod presence;
pub(crate) mod queries;
pub(crate) mod replicas;
pub(crate) mod replies;
pub(crate) mod returned;
pub(crate) mod revocations;
pub(crate) mod scripts;
pub(crate) mod sentinels;
pub(crate) mod cluster;
mod server;
pub(crate) mod writes;

use std::time::Duration;

use redis::AsyncConnectionConfig;

pub(crate) use self::commands::Commands;
pub(crate) use self::connection::{Connection, Connector};
pub(crate) use self::error::BrokerError;

/// How long connecting may take, and a command that does not block.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a blocking command waits for work before it is sent again. So a dead connection is noticed.
pub(crate) const BLOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens a connection for blocking commands, whose answer may take [`BLOCK_TIMEOUT`] longer.
pub(crate) async fn blocking_connection(connector: &Connector) -> Result<Connection, BrokerError> {
    let timeout = BLOCK_TIMEOUT + COMMAND_TIMEOUT;
    connector.open(AsyncConnectionConfig::new().set_response_timeout(Some(timeout))).await
}
