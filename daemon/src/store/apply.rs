//! The writer's transaction: one batch of the log, all or nothing.

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

/// Names the lock that the writer's connection holds, one for each database.
const WRITER_LOCK: &str = "CONCAT('chatpush:', MD5(DATABASE()))";

const BEGIN: &str = "START TRANSACTION";
const COMMIT: &str = "COMMIT";

/// What to do about rows that others have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locks {
    /// Wait for them as long as the session does: a second.
    Wait,
    /// Look first, and wait for none: another transaction was in the way a moment ago.
    NoWait,
}

/// What a committed batch did that only the database could tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Rows removed by each ack of the batch.
    pub(crate) removed: Vec<u64>,
    /// New counters of the users whose devices are told.
    pub(crate) counters: Vec<(UserId, u64)>,
}

/// The writer's own connection and its transaction.
#[derive(Debug)]
pub(crate) struct WriterConnection {
    connection: Conn,
    names: Names,
    /// Distance of neighbouring row ids; a replicated server may be set to another than 1.
    increment: u64,
    /// How the session waits for locks now.
    locks: Locks,
}

impl WriterConnection {
    /// Opens the writer's connection. A predecessor's that is still there is ended, whatever it is at: a
    /// paused writer must not keep its locks.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, or does not let the predecessor's connection be ended.
    pub(crate) async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.dedicated_connection().await?;
        // The server itself knows who holds a named lock, so that no number can be out of date (MySQL manual,
        // "Locking Functions").
        let holder: Option<Option<u64>> =
            bounded(connection.query_first(format!("SELECT IS_USED_LOCK({WRITER_LOCK})"))).await?;
        if fault_injection::breaks(Promise::Fence) {
            return Ok(Self { connection, names: store.names().clone(), increment: 1, locks: Locks::Wait });
        }
        if let Some(holder) = holder.flatten() {
            tracing::warn!(connection = holder, "the last writer's connection is still there and is ended");
            if let Err(error) = bounded(connection.query_drop(format!("KILL CONNECTION {holder}"))).await {
                tracing::debug!(%error, "it has gone by itself");
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
    ///
    /// # Errors
    ///
    /// When the database cannot be reached.
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
    /// [`StoreError::Fenced`] when a position is not where the batch begins: somebody else has written it.
    /// Of [`StoreError::Unavailable`] it is not known whether it was committed: the positions tell. After any other
    /// error nothing was changed.
    pub(crate) async fn apply(&mut self, batch: &Batch<'_>, locks: Locks) -> Result<Applied, StoreError> {
        let mut statements = MultiStatement::default();
        if self.locks != locks {
            // 0 means not to wait at all (MariaDB); MySQL knows no less than a second and takes that.
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

    /// Sets one entry aside that MySQL refuses: it goes to `chatpush_dead` with the reason, and the position
    /// moves behind it, in one transaction.
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

    /// The transaction of one batch.
    fn add_batch(&self, statements: &mut MultiStatement, batch: &Batch<'_>, locks: Locks) {
        let names = &self.names;
        statements.push(ResultUse::Ignored, BEGIN);
        // The positions come first: their row locks keep a second writer out until this one is done.
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
        // Counters last and by id: the fewer locks are held while they are taken, and the same order for
        // everybody, the fewer deadlocks.
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
            // MySQL undoes only the statement that failed, and what the others have locked must not rest. After any
            // other failure this connection is given up, and with it the transaction.
            bounded(self.connection.query_drop("ROLLBACK")).await?;
        }
        done
    }
}
