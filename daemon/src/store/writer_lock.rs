//! The named lock that the writer's connection holds, one per database. By it a successor finds and ends that
//! connection. It protects nothing: the positions decide which of two writers goes on. So a writer goes on without it
//! where it cannot be had, and waits for the rows that its predecessor has locked.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{StoreError, bounded};

/// Its name, in SQL.
const WRITER_LOCK: &str = "CONCAT('chatpush:', MD5(DATABASE()))";

/// A lock of this connection alone, in SQL.
const OWN_LOCK: &str = "CONCAT('chatpush:', CONNECTION_ID(), ':', MD5(DATABASE()))";

/// The connection that holds the writer's named lock. The server knows it (MySQL manual, "Locking Functions");
/// a stored connection id could be stale.
pub(super) async fn holder(connection: &mut Conn) -> Result<Option<u64>, StoreError> {
    let holder: Option<Option<u64>> =
        bounded(connection.query_first(format!("SELECT IS_USED_LOCK({WRITER_LOCK})"))).await?;
    Ok(holder.flatten())
}

/// Ends the connection of the last writer, if it exists and can be told from others, and takes its named lock.
pub(super) async fn take(connection: &mut Conn) -> Result<(), StoreError> {
    if let Some(holder) = holder(connection).await? {
        if names_holders(connection).await? {
            tracing::warn!(connection = holder, "ending the last writer's connection, which still exists");
            if let Err(error) = bounded(connection.query_drop(format!("KILL CONNECTION {holder}"))).await {
                tracing::debug!(%error, "cannot end it; it may have closed meanwhile");
            }
        } else {
            tracing::warn!(
                "the last writer's connection still exists, and the server does not say which it is"
            );
        }
    }
    // Percona XtraDB Cluster forbids named locks (`pxc_strict_mode`).
    match bounded(connection.query_first(format!("SELECT GET_LOCK({WRITER_LOCK}, 1)"))).await {
        Ok(Some(Some(true))) => {}
        Err(error @ StoreError::Unavailable(_)) => return Err(error),
        taken => {
            tracing::warn!(
                ?taken,
                "writing without the writer's named lock; rows that a last writer has locked are \
                                    free when the server closes its silent connection"
            );
        }
    }
    Ok(())
}

/// Whether the server says which connection holds a lock. `TiDB` says 1 of each, and Vitess the connection of one of
/// its own parts, which is a stranger to us.
async fn names_holders(connection: &mut Conn) -> Result<bool, StoreError> {
    let ask = format!("SELECT GET_LOCK({OWN_LOCK}, 0) = 1 AND IS_USED_LOCK({OWN_LOCK}) = CONNECTION_ID()");
    let named: Option<Option<bool>> = bounded(connection.query_first(ask)).await?;
    bounded(connection.query_drop(format!("DO RELEASE_LOCK({OWN_LOCK})"))).await?;
    Ok(named.flatten() == Some(true))
}
