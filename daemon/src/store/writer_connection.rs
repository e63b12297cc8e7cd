//! The writer's own connection, and how it executes statements.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};
use tokio::time::Instant;

use super::error::UnavailableCause;
use super::installation::InstallationRow;
use super::multi_statement::{MultiStatement, ResultUse, Results};
use super::rows::positions;
use super::server::Server;
use super::statements::{installation, position};
use super::tables::{self, Tables};
use super::transaction::COMMIT;
use super::{ALIVE_TIMEOUT, Store, StoreError, TRUSTED_TIME, bounded, is_alive, writer_lock};
use crate::base::fault_injection::{self, Promise};
use crate::log::position::Position;

/// After how long without a statement the server closes the writer's connection, and with it the transaction and the
/// named lock: as long as the lease lasts (`broker/lease.rs`), so a writer that hangs has no locks left when it is
/// replaced. A successor that knows its connection ends it by `KILL` before. But it may not be allowed to, if it has
/// another account; a node of Galera that is told to while it commits (MariaDB 10.11) goes on to read from it; and
/// some servers do not say which connection it is.
const SILENCE: Duration = Duration::from_secs(6);

/// How often the writer's connection is used at least.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How to treat rows that other transactions have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// Wait for their locks for up to a second.
    Wait,
    /// Fail at once: they were locked a moment ago.
    NoWait,
}

/// The writer's own connection.
#[derive(Debug)]
pub(crate) struct WriterConnection {
    pub(super) connection: Conn,
    /// Its id as the server has it. A proxy tells its clients other ids.
    pub(super) connection_id: u64,
    /// How to open another one.
    pub(super) opts: Opts,
    /// When it has answered last.
    answered: Instant,
    pub(super) tables: Arc<Tables>,
    /// The statement that sets the time zone.
    pub(super) time_zone: String,
    pub(super) server: Server,
    /// Whether confirmed messages are remembered.
    pub(super) remember_confirmed: bool,
    /// Whether senders are told what clients have confirmed.
    pub(super) receipts: bool,
    /// The current setting of the session.
    pub(super) locks: Locks,
}

impl WriterConnection {
    /// Opens the writer's connection and takes the named lock. The connection of the last writer is ended if
    /// it is known and still exists: a writer that hangs must not keep its row locks.
    ///
    /// Returns it with the installation that the server it leads to belongs to.
    pub(crate) async fn open(
        store: &Store,
        (remember_confirmed, receipts): (bool, bool),
    ) -> Result<(Self, InstallationRow), StoreError> {
        let mut connection = store.connection().await?;
        let found = match store.installation_over(&mut connection).await {
            Err(StoreError::Unavailable(UnavailableCause::NotAdopted(_))) => {
                store.require_adoption_over(&mut connection).await?;
                store.installation_over(&mut connection).await?
            }
            found => found?,
        };
        let server = Server::of(&mut connection, store.names()).await?;
        // Who waits for a table as a whole (ALTER, LOCK TABLES, FLUSH TABLES WITH READ LOCK) is told so by an
        // error of its own, before a statement takes too long.
        let wait_timeout = SILENCE.as_secs();
        let set = format!("SET SESSION lock_wait_timeout = 1, wait_timeout = {wait_timeout}");
        bounded(connection.query_drop(set)).await?;
        let connection_id: Option<u64> = bounded(connection.query_first("SELECT CONNECTION_ID()")).await?;
        if !fault_injection::breaks(Promise::Fence) {
            writer_lock::take(&mut connection).await?;
        }
        // Without autocommit, a statement of a transaction that the server has taken away is not committed on
        // its own. Every transaction begins with its first statement and ends with COMMIT or ROLLBACK.
        if !fault_injection::breaks(Promise::LastFence) {
            bounded(connection.query_drop("SET SESSION autocommit = 0")).await?;
        }
        let writer = Self {
            connection_id: connection_id.unwrap_or_else(|| connection.id().into()),
            connection,
            opts: store.opts.clone(),
            answered: Instant::now(),
            tables: found.tables,
            time_zone: tables::time_zone(store.mysql()),
            server,
            remember_confirmed,
            receipts,
            locks: Locks::Wait,
        };
        Ok((writer, found.row))
    }

    /// The position of each partition.
    ///
    /// # Errors
    ///
    /// As [`Store::positions`].
    pub(crate) async fn positions(&mut self) -> Result<Vec<(Partition, Position)>, StoreError> {
        positions(self.select(position::select()).await?)
    }

    /// Records which Redis process the log is read from.
    pub(crate) async fn record_run_id(&mut self, run_id: Option<&str>) -> Result<(), StoreError> {
        self.change(installation::record_run_id(run_id), 1).await.map(drop)
    }

    /// When the server has answered last. It is asked if that was longer ago than `age`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it does not answer any more.
    pub(crate) async fn answered_within(&mut self, age: Duration) -> Result<Instant, StoreError> {
        if self.answered.elapsed() > age {
            if !is_alive(&mut self.connection).await {
                return Err(StoreError::Unavailable(UnavailableCause::Timeout(ALIVE_TIMEOUT)));
            }
            self.answered = Instant::now();
        }
        Ok(self.answered)
    }

    /// The application's tables.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The largest value of the counter's column.
    pub(super) fn most_unread(&self) -> u64 {
        self.server.most_unread
    }

    /// The longest text of statements.
    pub(super) fn statement_bytes(&self) -> usize {
        self.server.statement_bytes
    }

    /// As [`WriterConnection::select`], with the time zone of the settings.
    pub(super) async fn select_in_time_zone(&mut self, query: String) -> Result<Vec<Row>, StoreError> {
        let mut statements = MultiStatement::default();
        statements.push(ResultUse::Ignored, self.time_zone.as_str());
        statements.push(ResultUse::Rows, query);
        statements.push(ResultUse::Ignored, COMMIT);
        Ok(self.execute(statements).await?.rows)
    }

    /// Executes a query as a transaction of its own.
    pub(super) async fn select(&mut self, query: String) -> Result<Vec<Row>, StoreError> {
        let mut statements = MultiStatement::default();
        statements.push(ResultUse::Rows, query);
        statements.push(ResultUse::Ignored, COMMIT);
        Ok(self.execute(statements).await?.rows)
    }

    /// Executes a statement, which touches at most that many rows, as a transaction of its own. Returns the number of
    /// rows that it has changed.
    pub(super) async fn change(&mut self, statement: String, rows: usize) -> Result<u64, StoreError> {
        let mut statements = MultiStatement::default();
        statements.push(ResultUse::AffectedRows, statement);
        statements.push(ResultUse::Ignored, COMMIT);
        let done = self.execute_within(self.limit(rows), statements).await?;
        Ok(done.affected_rows.first().copied().unwrap_or(0))
    }

    /// Executes statements. If one fails, the transaction is rolled back.
    pub(super) async fn execute(&mut self, statements: MultiStatement) -> Result<Results, StoreError> {
        self.execute_within(self.limit(0), statements).await
    }

    /// As [`WriterConnection::execute`], for at most so long.
    pub(super) async fn execute_within(
        &mut self,
        limit: Duration,
        statements: MultiStatement,
    ) -> Result<Results, StoreError> {
        self.answered_within(TRUSTED_TIME).await?;
        let done = self.end_after(limit, statements).await;
        self.answered = Instant::now();
        if let Err(error) = &done
            && error.concerns_entries()
        {
            // MySQL rolls back only the failed statement, and the others' locks must be released. After any
            // other error the caller drops this connection, which ends the transaction.
            if let Err(error) = bounded(self.connection.query_drop("ROLLBACK")).await {
                tracing::debug!(%error, "cannot roll back");
                return Err(StoreError::Unavailable(UnavailableCause::NotRolledBack));
            }
        }
        done
    }
}
