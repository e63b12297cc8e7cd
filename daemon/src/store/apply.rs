//! The writer's transaction: applies one batch of the log, or nothing of it.

use std::collections::HashSet;

use chatpush_wire::id::{MessageId, UserId};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::error::UnavailableCause;
use super::multi_statement::{MultiStatement, ResultUse, Results};
use super::{Store, StoreError, bounded, statements};
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;
use crate::log::batch::{Batch, LogEntry, PositionUpdate};

/// The named lock that the writer's connection holds, one per database.
const WRITER_LOCK: &str = "CONCAT('chatpush:', MD5(DATABASE()))";

const BEGIN: &str = "START TRANSACTION";
const COMMIT: &str = "COMMIT";

/// How to treat rows that other transactions have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// Wait for their locks for up to a second.
    Wait,
    /// Fail at once: they were locked a moment ago.
    NoWait,
}

/// Results of a committed batch that only the database knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Rows removed by each of [`Batch::app_deletes`].
    pub(crate) removed: Vec<u64>,
    /// The new counters of [`Batch::notify_unread`].
    pub(crate) counters: Vec<(UserId, u64)>,
}

/// The writer's own connection and its transaction.
#[derive(Debug)]
pub(crate) struct WriterConnection {
    connection: Conn,
    names: Names,
    /// The distance of consecutive row ids, which a replicated server may set to more than 1.
    increment: u64,
    /// The current setting of the session.
    locks: Locks,
}

impl WriterConnection {
    /// Opens the writer's connection and takes the named lock. The connection of the last writer is ended if
    /// it still exists: a writer that hangs must not keep its row locks.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.dedicated_connection().await?;
        // The server knows which connection holds a named lock (MySQL manual, "Locking Functions"); a stored
        // connection id could be stale.
        let holder: Option<Option<u64>> =
            bounded(connection.query_first(format!("SELECT IS_USED_LOCK({WRITER_LOCK})"))).await?;
        if fault_injection::breaks(Promise::Fence) {
            return Ok(Self { connection, names: store.names().clone(), increment: 1, locks: Locks::Wait });
        }
        if let Some(holder) = holder.flatten() {
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
        let increment: Option<u64> =
            bounded(connection.query_first("SELECT @@auto_increment_increment")).await?;
        Ok(Self {
            connection,
            names: store.names().clone(),
            increment: increment.unwrap_or(1).max(1),
            locks: Locks::Wait,
        })
    }

    /// Which of these messages are stored and not confirmed yet.
    pub(crate) async fn stored(
        &mut self,
        messages: &[(UserId, &MessageId)],
    ) -> Result<HashSet<(UserId, MessageId)>, StoreError> {
        if messages.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = statements::stored(&self.names, messages);
        let found: Vec<(i64, String)> = bounded(self.connection.query(sql)).await?;
        let ids = found.into_iter().filter_map(|(receiver, id)| {
            Some((UserId::try_from(receiver).ok()?, MessageId::try_from(id).ok()?))
        });
        Ok(ids.collect())
    }

    /// Applies one batch: exactly once or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] if a position is not where the batch begins, because another daemon has
    /// written. After [`StoreError::Unavailable`] the batch may have been committed; the positions show
    /// whether it was. After any other error nothing was changed.
    pub(crate) async fn apply(&mut self, batch: &Batch<'_>, locks: Locks) -> Result<Applied, StoreError> {
        let mut statements = MultiStatement::default();
        if self.locks != locks {
            // In MariaDB 0 means not to wait. MySQL's minimum is 1, which it uses instead.
            let seconds = u8::from(locks == Locks::Wait);
            statements.push(ResultUse::Ignored, format!("SET SESSION innodb_lock_wait_timeout = {seconds}"));
            self.locks = locks;
        }
        self.add_batch(&mut statements, batch, locks);
        let results = self.execute(statements).await?;
        let counters = results.rows.into_iter().filter_map(|row| {
            let (user, count) = mysql_async::from_row_opt::<(i64, i64)>(row).ok()?;
            Some((UserId::try_from(user).ok()?, u64::try_from(count).unwrap_or(0)))
        });
        Ok(Applied { removed: results.affected_rows, counters: counters.collect() })
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
        let entry = serde_json::to_string(&logged.fields).unwrap_or_default();
        let mut statements = MultiStatement::default();
        statements.push(ResultUse::Ignored, BEGIN);
        statements.push(ResultUse::Fence, statements::position_updates(&[update]));
        statements.push(ResultUse::Ignored, statements::dead_letter(logged, &entry, error));
        statements.push(ResultUse::Ignored, COMMIT);
        self.execute(statements).await.map(drop)
    }

    /// Adds the transaction of one batch.
    fn add_batch(&self, statements: &mut MultiStatement, batch: &Batch<'_>, locks: Locks) {
        let names = &self.names;
        statements.push(ResultUse::Ignored, BEGIN);
        // The positions come first: their row locks make a second writer wait until this transaction ends.
        statements.push(ResultUse::Fence, statements::position_updates(&batch.positions));
        if locks == Locks::NoWait && !batch.counters.is_empty() {
            let users: Vec<_> = batch.counters.keys().collect();
            statements.push(ResultUse::Ignored, statements::lock_counters(names, &users));
        }
        for inserts in statements::in_statements(&batch.inserts, |insert| insert.content.len() + 128) {
            statements.push(ResultUse::Ignored, statements::insert_rows(names, inserts));
            statements.push(ResultUse::Ignored, statements::insert_records(inserts, self.increment));
        }
        for statement in statements::delete_acked(names, batch) {
            statements.push(ResultUse::Ignored, statement);
        }
        for ack in &batch.app_deletes {
            let [records, rows] = statements::delete_by_application(names, ack);
            statements.push(ResultUse::Ignored, records);
            statements.push(ResultUse::AffectedRows, rows);
        }
        // Counters come last, so that their locks are held for the shortest time, and ordered by id, which
        // avoids deadlocks.
        if !batch.counters.is_empty() {
            statements.push(ResultUse::Ignored, statements::counters(names, batch));
        }
        if !batch.notify_unread.is_empty() {
            statements.push(ResultUse::Rows, statements::unread(names, &batch.notify_unread));
        }
        statements.push(ResultUse::Ignored, COMMIT);
    }

    async fn execute(&mut self, statements: MultiStatement) -> Result<Results, StoreError> {
        let done = statements.execute(&mut self.connection).await;
        if let Err(StoreError::Busy(_) | StoreError::Rejected(_)) = done {
            // MySQL rolls back only the failed statement, and the others' locks must be released. After any
            // other error the caller drops this connection, which ends the transaction.
            bounded(self.connection.query_drop("ROLLBACK")).await?;
        }
        done
    }
}
