//! The connections that hold subscriptions, as Redis sees them: it counts their users as connected until it
//! notices that such a connection is dead, which may take minutes.

use crate::broker::{BrokerError, Connection};

/// Most ids that are remembered, the latest ones.
const REMEMBERED: usize = 64;

/// The ids (CLIENT ID) of this daemon's own earlier connections, which Redis may not have noticed to be dead.
#[derive(Debug, Default)]
pub(super) struct Predecessors(Vec<u64>);

impl Predecessors {
    /// Adds a connection that is open now.
    pub(super) fn add(&mut self, client_id: u64) {
        self.0.push(client_id);
        self.0.drain(..self.0.len().saturating_sub(REMEMBERED));
    }

    /// Whether there was a connection before.
    pub(super) fn exist(&self) -> bool {
        !self.0.is_empty()
    }

    /// Ends all but the connection `current`, which holds the subscriptions now.
    ///
    /// # Errors
    ///
    /// When the connection breaks. The ids are kept then. If Redis refuses the commands, the old connections
    /// remain until Redis notices.
    pub(super) async fn end(
        &mut self,
        connection: &mut Connection,
        daemon: &str,
        current: u64,
    ) -> Result<(), BrokerError> {
        for client_id in self.0.iter().filter(|client_id| **client_id != current) {
            if end(connection, daemon, &client_id.to_string()).await? {
                tracing::info!(client_id, "ended the last connection with subscriptions, which had died");
            }
        }
        self.0 = vec![current];
        Ok(())
    }
}

/// Ends the connection with this id if it still has this name, and returns whether it had: a restarted Redis,
/// or another one, gives ids out again. If Redis refuses the commands, that is logged.
///
/// # Errors
///
/// When the connection breaks.
pub(super) async fn end(
    connection: &mut Connection,
    daemon: &str,
    client_id: &str,
) -> Result<bool, BrokerError> {
    let ended = async {
        let list = redis::cmd("CLIENT").arg("LIST").arg("ID").arg(client_id).take();
        let client: String = connection.command(&list).await?;
        let found = client.split(' ').any(|field| field.strip_prefix("name=") == Some(daemon));
        if found {
            let kill = redis::cmd("CLIENT").arg("KILL").arg("ID").arg(client_id).take();
            connection.command::<u64>(&kill).await?;
        }
        Ok(found)
    };
    match ended.await {
        Err(error) if !BrokerError::is_broken(&error) => {
            tracing::warn!(daemon, %error, "cannot end a dead connection; its users count as connected");
            Ok(false)
        }
        other => other,
    }
}
