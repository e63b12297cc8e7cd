//! How long the statements of a transaction may take, and the ending of those that take longer.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use tokio::time::timeout;

use super::error::UnavailableCause;
use super::multi_statement::{MultiStatement, Results};
use super::writer_connection::{Locks, WriterConnection};
use super::{ALIVE_TIMEOUT, StoreError, bounded, writer_lock};

/// How long the statements of a batch may take. Then they are ended, and its partitions are tried alone.
const JOINT_LIMIT: Duration = Duration::from_secs(7);

/// The same for a partition or an entry that is tried alone. The others wait meanwhile.
pub(crate) const ALONE_LIMIT: Duration = Duration::from_secs(3);

/// What is added to that for each row, on a server that reads it from its disk.
const LIMIT_PER_ROW: Duration = Duration::from_millis(5);

impl WriterConnection {
    /// How long statements that touch that many rows may take.
    pub(super) fn limit(&self, rows: usize) -> Duration {
        if self.locks == Locks::Wait {
            return JOINT_LIMIT;
        }
        ALONE_LIMIT + LIMIT_PER_ROW * u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// Executes statements. Those that take longer than `limit` are ended, and the connection is kept.
    pub(super) async fn end_after(
        &mut self,
        limit: Duration,
        statements: MultiStatement,
    ) -> Result<Results, StoreError> {
        let id = self.connection_id;
        let running = statements.execute(&mut self.connection, self.server.statement_bytes);
        tokio::pin!(running);
        if let Ok(done) = timeout(limit, &mut running).await {
            return done;
        }
        // Whatever prevents it, the statement still runs, and may succeed.
        let stuck = || StoreError::Unavailable(UnavailableCause::Stuck(limit));
        let ended = timeout(ALIVE_TIMEOUT, interrupt(&self.opts, id)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!(?ended, "cannot end a statement");
            return Err(stuck());
        }
        // It may have succeeded just before, or be a COMMIT, which is not interrupted.
        match timeout(ALIVE_TIMEOUT, running).await.map_err(|_| stuck())? {
            Err(error) if error.code().is_some() => Err(StoreError::Slow(limit)),
            done => done,
        }
    }
}

/// Ends the statement that a connection executes, over another one, and keeps the connection.
async fn interrupt(opts: &Opts, id: u64) -> Result<(), StoreError> {
    let mut other = bounded(Conn::new(opts.clone())).await?;
    // The address may lead to another server, where somebody else has this connection id.
    if writer_lock::holder(&mut other).await? == Some(id) {
        tracing::debug!(connection = id, "ending a statement that takes too long");
        bounded(other.query_drop(format!("KILL QUERY {id}"))).await?;
    }
    if let Err(error) = bounded(other.disconnect()).await {
        tracing::debug!(%error, "cannot close a connection");
    }
    Ok(())
}
