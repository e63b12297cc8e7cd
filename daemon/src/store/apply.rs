//! The writer's transaction: applies one batch of the log, or nothing of it.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};
use tokio::time::Instant;

use super::counters;
use super::error::UnavailableCause;
use super::installation::InstallationRow;
use super::multi_statement::{MultiStatement, ResultUse, Results};
use super::probe::{self, Probe};
use super::rows::{Unread, positions};
use super::server::Server;
use super::statements::{ID_BYTES, dead_letter, forget, in_statements, insert, installation, position};
use super::tables::{self, Tables};
use super::transaction::COMMIT;
use super::{ALIVE_TIMEOUT, Store, StoreError, TRUSTED_TIME, bounded, is_alive, writer_lock};
use crate::base::fault_injection::{self, Promise};
use crate::log::batch::{Batch, Counting, Known, LogEntry, PositionUpdate};
use crate::log::position::Position;

/// How long a probe may take. It has one row: longer, and the server is slow.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// Most rows of each table that one step of forgetting a user removes.
const FORGOTTEN_ROWS: u32 = 500;

/// How to treat rows that other transactions have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// Wait for their locks for up to a second.
    Wait,
    /// Fail at once: they were locked a moment ago.
    NoWait,
}

/// How rows and their records are inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserts {
    /// Many rows in one statement, which have consecutive ids.
    Together,
    /// Each row in a statement of its own, since the ids were not as expected.
    OneByOne,
}

/// An entry to keep in `chatpush_dead`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewDeadLetter<'a> {
    /// Whose log it was in.
    pub(crate) partition: Partition,
    /// Its id in the log.
    pub(crate) position: Position,
    /// The fields that are appended to the log again if it is retried.
    pub(crate) fields: &'a [(String, String)],
    /// MySQL's error.
    pub(crate) error: &'a str,
}

/// How a transaction ends.
enum End<'a> {
    Commit(&'a [NewDeadLetter<'a>]),
    RollBack,
}

/// Results of a committed batch that only the database knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Rows removed by each of [`Batch::app_deletes`].
    pub(crate) removed: Vec<u64>,
    /// Whether there was a row to take back for each of [`Batch::recalls`].
    pub(crate) recalled: Vec<bool>,
    /// Senders, receivers and ids of rows that clients have confirmed, if receipts are sent.
    pub(crate) delivered: Vec<(UserId, UserId, MessageId)>,
    /// The new counters of [`Batch::notify_unread`].
    pub(crate) counters: Vec<(UserId, Unread)>,
}

/// The writer's own connection and its transaction.
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
    /// it still exists: a writer that hangs must not keep its row locks.
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
        bounded(connection.query_drop("SET SESSION lock_wait_timeout = 1")).await?;
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

    /// Which of these messages are stored and not confirmed yet, or were confirmed or recalled a short time ago.
    pub(crate) async fn known(&mut self, messages: &[(&UserId, &MessageId)]) -> Result<Known, StoreError> {
        let (ids, mut known) = (self.tables.user_id_type, Known::default());
        for messages in
            in_statements(messages, self.server.statement_bytes / 2, |_| ID_BYTES + MessageId::MAX_BYTES + 8)
        {
            // A transaction of its own: the one that applies them must not read from its snapshot.
            let found = self.select(insert::stored(&self.tables, messages)).await?;
            for row in found {
                let Ok((receiver, id, recalled)) = mysql_async::from_row_opt::<(String, String, bool)>(row)
                else {
                    continue;
                };
                let (Ok(receiver), Ok(id)) = (ids.text(&receiver), MessageId::try_from(id)) else { continue };
                if recalled {
                    known.recalled.insert((receiver.clone(), id.clone()));
                }
                known.stored.insert((receiver, id));
            }
        }
        Ok(known)
    }

    /// The messages among the last dead letters with their errors, oldest first.
    pub(crate) async fn refused_messages(
        &mut self,
        most: usize,
    ) -> Result<Vec<((UserId, MessageId), String)>, StoreError> {
        let ids = self.tables.user_id_type;
        let found = self.select(dead_letter::refused_messages(most)).await?;
        let messages = found.into_iter().rev().filter_map(|row| {
            let (receivers, id, error) = mysql_async::from_row_opt::<(String, String, String)>(row).ok()?;
            let id = MessageId::try_from(id).ok()?;
            let receivers = receivers.split('\n').filter_map(|text| ids.text(text).ok());
            let messages = receivers.map(|receiver| ((receiver, id.clone()), error.clone()));
            Some(messages.collect::<Vec<_>>())
        });
        Ok(messages.flatten().collect())
    }

    /// Applies one batch, with dead letters: exactly once or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] if a position is not where the batch begins, because another daemon has
    /// written. After [`StoreError::Unavailable`] the batch may have been committed; the positions show
    /// whether it was. After any other error nothing was changed.
    pub(crate) async fn apply(
        &mut self,
        batch: &Batch<'_>,
        locks: Locks,
        inserts: Inserts,
        letters: &[NewDeadLetter<'_>],
    ) -> Result<Applied, StoreError> {
        self.apply_until(batch, locks, inserts, &End::Commit(letters)).await
    }

    /// Tries whether MySQL would refuse a batch, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::apply`].
    pub(crate) async fn rehearse(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        self.apply_until(batch, Locks::NoWait, Inserts::OneByOne, &End::RollBack).await.map(drop)
    }

    async fn apply_until(
        &mut self,
        batch: &Batch<'_>,
        locks: Locks,
        inserts: Inserts,
        end: &End<'_>,
    ) -> Result<Applied, StoreError> {
        let mut statements = MultiStatement::default();
        self.set_locks(&mut statements, locks);
        self.add_batch(&mut statements, batch, locks, inserts);
        match end {
            End::Commit(letters) => {
                for letter in *letters {
                    statements.push(ResultUse::Ignored, dead_letter::insert(letter));
                }
                self.add_end(&mut statements, &batch.positions);
            }
            End::RollBack => statements.push(ResultUse::Ignored, "ROLLBACK"),
        }
        let mut results = self.execute_within(self.limit(batch.rows()), statements).await?;
        let recalled =
            results.affected_rows.split_off(batch.app_deletes.len().min(results.affected_rows.len()));
        let ids = self.tables.user_id_type;
        let delivered = results.delivered.into_iter().filter_map(|row| {
            let (sender, receiver, id) = mysql_async::from_row_opt::<(String, String, String)>(row).ok()?;
            Some((ids.text(&sender).ok()?, ids.text(&receiver).ok()?, MessageId::try_from(id).ok()?))
        });
        let delivered = delivered.collect();
        Ok(Applied {
            removed: results.affected_rows,
            recalled: recalled.into_iter().map(|rows| rows > 0).collect(),
            delivered,
            counters: counters::found(&self.tables, results.rows, results.parts),
        })
    }

    /// The beginning of a transaction that changes rows while the positions are these, beside the log.
    pub(super) fn begin(&mut self, positions: &[PositionUpdate], locks: Locks) -> MultiStatement {
        let mut statements = MultiStatement::default();
        self.set_locks(&mut statements, locks);
        statements.push(ResultUse::Ignored, self.time_zone.as_str());
        self.add_fence(&mut statements, positions);
        statements
    }

    /// Stores an entry in `chatpush_dead` with the reason, and moves the position over it, in one
    /// transaction.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::apply`].
    pub(crate) async fn dead_letter(
        &mut self,
        update: PositionUpdate,
        logged: &LogEntry,
        error: &str,
    ) -> Result<(), StoreError> {
        let (partition, position) = (logged.partition, logged.position);
        let letter = NewDeadLetter { partition, position, fields: &logged.fields, error };
        let mut statements = MultiStatement::default();
        self.add_fence(&mut statements, &[update]);
        statements.push(ResultUse::Ignored, dead_letter::insert(&letter));
        self.add_end(&mut statements, &[update]);
        self.execute(statements).await.map(drop)
    }

    /// Removes some of what is kept of a user, while the partition's position is `at`. Returns whether there may be
    /// more than a transaction should remove.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::apply`].
    pub(crate) async fn forget_some(
        &mut self,
        partition: Partition,
        at: Position,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        let update = PositionUpdate { partition, from: at, to: at };
        let mut statements = self.begin(&[update], Locks::NoWait);
        for statement in forget::rows(&self.tables, partition, user, Some(FORGOTTEN_ROWS)) {
            statements.push(ResultUse::AffectedRows, statement);
        }
        self.add_end(&mut statements, &[update]);
        let changed = self.execute(statements).await?.affected_rows;
        Ok(changed.into_iter().any(|rows| rows >= u64::from(FORGOTTEN_ROWS)))
    }

    /// Records which Redis process the log is read from.
    pub(crate) async fn record_run_id(&mut self, run_id: Option<&str>) -> Result<(), StoreError> {
        self.change(installation::record_run_id(run_id)).await.map(drop)
    }

    /// Whether others of its kind succeed where `entry` fails: stores a made-up message of the same length
    /// for the same receiver, and rolls it back. If that fails and `anyone` is set, then for another user.
    ///
    /// # Errors
    ///
    /// The error that they meet too.
    pub(crate) async fn probe(
        &mut self,
        entry: &Entry,
        counting: Counting,
        anyone: bool,
    ) -> Result<(), StoreError> {
        let remember_confirmed = self.remember_confirmed;
        let Some(receiver) = probe::receiver(entry) else { return Ok(()) };
        let own = Probe { entry, receiver, is_own: true, counting, remember_confirmed };
        let Err(error) = self.probe_as(own).await else { return Ok(()) };
        if !anyone || error.is_locked() || !error.concerns_entries() {
            return Err(error);
        }
        let ids = self.tables.user_id_type;
        let found = self.select(probe::other_user(&self.tables, receiver)).await?;
        let other =
            found.into_iter().find_map(|row| ids.text(&mysql_async::from_row_opt::<String>(row).ok()?).ok());
        let Some(other) = other else { return Err(error) };
        self.probe_as(Probe { receiver: &other, is_own: false, ..own }).await.map_err(|_| error)
    }

    async fn probe_as(&mut self, probe: Probe<'_>) -> Result<(), StoreError> {
        let mut statements = probe.statements(&self.tables, &self.server, &self.time_zone);
        statements.push(ResultUse::Ignored, "ROLLBACK");
        self.execute_within(PROBE_LIMIT, statements).await.map(drop)
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

    /// Executes a statement as a transaction of its own, and returns the number of rows that it has changed.
    pub(super) async fn change(&mut self, statement: String) -> Result<u64, StoreError> {
        let mut statements = MultiStatement::default();
        statements.push(ResultUse::AffectedRows, statement);
        statements.push(ResultUse::Ignored, COMMIT);
        Ok(self.execute(statements).await?.affected_rows.first().copied().unwrap_or(0))
    }

    pub(super) async fn execute(&mut self, statements: MultiStatement) -> Result<Results, StoreError> {
        self.execute_within(self.limit(0), statements).await
    }

    async fn execute_within(
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
