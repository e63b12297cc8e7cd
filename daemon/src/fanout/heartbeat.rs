//! Heartbeats between daemons. A daemon that hangs keeps its connection to Redis, so its users would count as
//! online; another daemon notices the missing heartbeat and ends that connection.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::broker::{BrokerError, scripts};
use crate::services::Services;

/// How often a daemon sends its heartbeat and looks for missing ones.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// How long a daemon may be silent before its subscriptions are ended. It makes them again when it wakes up.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(9);

/// The heartbeat of one connection that holds subscriptions.
#[derive(Debug)]
pub(super) struct Heartbeat {
    services: Arc<Services>,
    /// Redis's id of the connection (CLIENT ID).
    client_id: u64,
    next: Instant,
}

impl Heartbeat {
    /// Names the connection, so that other daemons recognise it, and prepares its heartbeat. The first one is
    /// due.
    pub(super) async fn of(
        services: Arc<Services>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Self, BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLIENT").arg("SETNAME").arg(&services.daemon).ignore().cmd("CLIENT").arg("ID");
        let (client_id,): (u64,) = pipeline.query_async(connection).await?;
        Ok(Self { services, client_id, next: Instant::now() })
    }

    /// When the next heartbeat is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Sends the heartbeat if it is due, and ends the subscriptions of daemons whose heartbeat is missing.
    /// Returns whether it was due.
    pub(super) async fn send_if_due(
        &mut self,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, BrokerError> {
        if Instant::now() < self.next {
            return Ok(false);
        }
        let Services { prefix, daemon, .. } = &*self.services;
        let mut call = scripts::HEARTBEAT.key(prefix.heartbeats());
        call.arg(daemon).arg(self.client_id).arg(HEARTBEAT_TIMEOUT.as_millis());
        let silent: Vec<(String, String)> = scripts::invoke(&call, connection).await?;
        for (daemon, client_id) in &silent {
            end_subscriptions(connection, daemon, client_id).await?;
        }
        self.next = Instant::now() + HEARTBEAT_INTERVAL;
        Ok(true)
    }
}

/// Ends the connection with this id if it still has this name: a restarted Redis gives ids out again.
async fn end_subscriptions(
    connection: &mut MultiplexedConnection,
    daemon: &str,
    client_id: &str,
) -> Result<(), BrokerError> {
    let client: String =
        redis::cmd("CLIENT").arg("LIST").arg("ID").arg(client_id).query_async(connection).await?;
    if client.split(' ').any(|field| field.strip_prefix("name=") == Some(daemon)) {
        tracing::warn!(daemon, "a daemon sends no heartbeat, ending its subscriptions");
        redis::cmd("CLIENT").arg("KILL").arg("ID").arg(client_id).exec_async(connection).await?;
    }
    Ok(())
}
