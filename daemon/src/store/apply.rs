//! The writer's transaction: applies one batch of the log, or nothing of it.

use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;

use super::multi_statement::{MultiStatement, ResultUse, Results};
use super::rows::Unread;
use super::statements::dead_letter;
use super::writer_connection::{Locks, WriterConnection};
use super::{StoreError, counters};
use crate::log::batch::{Batch, LogEntry, PositionUpdate};
use crate::log::position::Position;

/// How rows and their records are inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserts {
    /// Many rows in one statement, which have consecutive ids.
    Together,
    /// Each row in a statement of its own, since the ids were not as expected.
    OneByOne,
}

/// What is done about users whose total the application has set to 0, while their conversations still count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// There is none as a rule: the transaction fails if there is one.
    Unexpected,
    /// What conversations count is emptied.
    Empty,
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

impl WriterConnection {
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
        let mut results = match self.execute_batch(batch, locks, (inserts, Emptied::Unexpected), end).await {
            Err(StoreError::Emptied) => {
                self.execute_batch(batch, locks, (inserts, Emptied::Empty), end).await?
            }
            done => done?,
        };
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

    /// Executes the transaction of a batch.
    async fn execute_batch(
        &mut self,
        batch: &Batch<'_>,
        locks: Locks,
        (inserts, zeroed): (Inserts, Emptied),
        end: &End<'_>,
    ) -> Result<Results, StoreError> {
        let mut statements = MultiStatement::default();
        self.set_locks(&mut statements, locks);
        self.add_batch(&mut statements, batch, locks, (inserts, zeroed));
        match end {
            End::Commit(letters) => {
                for letter in *letters {
                    statements.push(ResultUse::Ignored, dead_letter::insert(letter));
                }
                self.add_end(&mut statements, &batch.positions);
            }
            End::RollBack => statements.push(ResultUse::Ignored, "ROLLBACK"),
        }
        self.execute_within(self.limit(batch.rows()), statements).await
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
}
