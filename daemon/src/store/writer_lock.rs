//! The named lock that the writer's connection holds, one per database. By it a successor finds and ends that
//! connection.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::error::UnavailableCause;
use super::{StoreError, bounded};

/// Its name, in SQL.
const WRITER_LOCK: &str = "CONCAT('chatpush:', MD5(DATABASE()))";

/// The connection that holds the writer's named lock. The server knows it (MySQL manual, "Locking Functions");
/// a stored connection id could be stale.
pub(super) async fn holder(connection: &mut Conn) -> Result<Option<u64>, StoreError> {
    let holder: Option<Option<u64>> =
        bounded(connection.query_first(format!("SELECT IS_USED_LOCK({WRITER_LOCK})"))).await?;
    Ok(holder.flatten())
}

/// Ends the connection of the last writer, if it exists, and takes its named lock.
pub(super) async fn take(connection: &mut Conn) -> Result<(), StoreError> {
    if let Some(holder) = holder(connection).await? {
        tracing::warn!(connection = holder, "ending the last writer's connection, which still exists");
        if let Err(error) = bounded(connection.query_drop(format!("KILL CONNECTION {holder}"))).await {
            tracing::debug!(%error, "cannot end it; it may have closed meanwhile");
        }
    }
    let taken: Option<Option<bool>> =
        bounded(connection.query_first(format!("SELECT GET_LOCK({WRITER_LOCK}, 5)"))).await?;
    if taken.flatten() != Some(true) {
        return Err(StoreError::Unavailable(UnavailableCause::LastWriterRemains));
    }
    Ok(())
}
