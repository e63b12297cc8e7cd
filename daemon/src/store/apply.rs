//! The writer's transaction: one batch of the log, all or nothing.

use std::collections::HashSet;
use std::fmt::Write as _;

use chatpush_wire::id::{MessageId, UserId};
use mysql_async::prelude::{Queryable, ToValue};
use mysql_async::{Conn, Transaction, TxOpts};

use super::{Store, StoreError, bounded, list, schema};
use crate::batch::{Batch, Insert, Logged, Move};
use crate::config::Names;
use crate::sabotage::{self, Promise};

/// A statement is sent before it grows much beyond this; `max_allowed_packet` is 16 MiB by default.
const STATEMENT_BYTES: usize = 1024 * 1024;

/// Names the lock that the writer's connection holds, one for each database.
const PEN: &str = "CONCAT('chatpush:', MD5(DATABASE()))";

/// What to do about rows that others have locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// Wait for them as long as the session does: a second.
    Wait,
    /// Look first, and wait for none: another transaction was in the way a moment ago.
    Probe,
}

/// What a committed batch did that only the database could tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows removed by each ack of the batch.
    pub removed: Vec<u64>,
    /// New counters of the users whose devices are told.
    pub counters: Vec<(UserId, u64)>,
}

/// The writer's own connection and its transaction.
#[derive(Debug)]
pub struct Writing {
    connection: Conn,
    names: Names,
    /// Distance of neighbouring row ids; a replicated server may be set to another than 1.
    increment: u64,
    /// How the session waits for locks now.
    locks: Locks,
}

impl Writing {
    /// Opens the writer's connection. A predecessor's that is still there is ended, whatever it is at: a
    /// paused writer must not keep its locks.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, or does not let the predecessor's connection be ended.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.own_connection().await?;
        // The server itself knows who holds a named lock, so that no number can be out of date (MySQL manual,
        // "Locking Functions").
        let holder: Option<Option<u64>> =
            bounded(connection.query_first(format!("SELECT IS_USED_LOCK({PEN})"))).await?;
        if sabotage::breaks(Promise::Fence) {
            return Ok(Self { connection, names: store.names().clone(), increment: 1, locks: Locks::Wait });
        }
        if let Some(holder) = holder.flatten() {
            tracing::warn!(connection = holder, "the last writer's connection is still there and is ended");
            if let Err(error) = bounded(connection.query_drop(format!("KILL CONNECTION {holder}"))).await {
                tracing::debug!(%error, "it has gone by itself");
            }
        }
        let taken: Option<Option<bool>> =
            bounded(connection.query_first(format!("SELECT GET_LOCK({PEN}, 5)"))).await?;
        if taken.flatten() != Some(true) {
            return Err(StoreError::Unavailable("the last writer's connection does not end".to_owned()));
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
    pub async fn known(
        &mut self,
        messages: &[(UserId, &MessageId)],
    ) -> Result<HashSet<(UserId, MessageId)>, StoreError> {
        if messages.is_empty() {
            return Ok(HashSet::new());
        }
        let wanted: Vec<_> =
            messages.iter().map(|(receiver, id)| format!("({receiver}, {})", quoted(id.as_str()))).collect();
        let sql = format!(
            "SELECT m.`receiver_id`, m.`message_id` FROM `{}` m JOIN {} o ON {} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({})",
            schema::MESSAGE,
            self.names.offline_message,
            self.names.record_of_row(),
            wanted.join(", ")
        );
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
    /// After any error but that of the commit itself nothing was changed; after that the positions tell.
    pub async fn apply(&mut self, batch: &Batch<'_>, locks: Locks) -> Result<Applied, StoreError> {
        if self.locks != locks {
            // 0 means not to wait at all (MariaDB); MySQL knows no less than a second and takes that.
            let seconds = u8::from(locks == Locks::Wait);
            let sql = format!("SET SESSION innodb_lock_wait_timeout = {seconds}");
            bounded(self.connection.query_drop(sql)).await?;
            self.locks = locks;
        }
        let mut transaction = bounded(self.connection.start_transaction(TxOpts::default())).await?;
        match perform(&mut transaction, &self.names, self.increment, batch, locks).await {
            Ok(applied) => {
                bounded(transaction.commit()).await?;
                Ok(applied)
            }
            Err(error) => {
                // MySQL undoes only the statement that failed, and what the others have locked must not rest.
                bounded(transaction.rollback()).await?;
                Err(error)
            }
        }
    }

    /// Sets one entry aside that MySQL refuses: it goes to `chatpush_dead` with the reason, and the position
    /// moves behind it, in one transaction.
    ///
    /// # Errors
    ///
    /// As [`Writing::apply`].
    pub async fn bury(&mut self, step: Move, logged: &Logged, error: &str) -> Result<(), StoreError> {
        let entry = serde_json::to_string(&logged.fields).unwrap_or_default();
        let mut transaction = bounded(self.connection.start_transaction(TxOpts::default())).await?;
        bounded(transaction.query_drop(moves(&[step]))).await?;
        if transaction.affected_rows() != 1 {
            bounded(transaction.rollback()).await?;
            return Err(StoreError::Fenced);
        }
        let sql = format!(
            "INSERT INTO `{}` (`partition_id`, `log_id`, `entry`, `error`, `died_at`) VALUES (?, ?, ?, ?, NOW())",
            schema::DEAD
        );
        let values = (logged.partition.number(), logged.position.to_string(), entry, error);
        bounded(transaction.exec_drop(sql, values)).await?;
        bounded(transaction.commit()).await
    }
}

/// The statements of one batch, within its transaction.
async fn perform(
    transaction: &mut Transaction<'_>,
    names: &Names,
    increment: u64,
    batch: &Batch<'_>,
    locks: Locks,
) -> Result<Applied, StoreError> {
    // The positions come first: their row locks keep a second writer out until this one is done.
    bounded(transaction.query_drop(moves(&batch.moves))).await?;
    if transaction.affected_rows() != batch.moves.len() as u64 && !sabotage::breaks(Promise::Fence) {
        return Err(StoreError::Fenced);
    }
    if locks == Locks::Probe && !batch.counters.is_empty() {
        let users: Vec<_> = batch.counters.keys().collect();
        let sql = format!(
            "SELECT {id} FROM {user} WHERE {id} IN ({}) ORDER BY {id} FOR UPDATE NOWAIT",
            list(&users),
            id = names.user_id,
            user = names.user,
        );
        bounded(transaction.query_drop(sql)).await?;
    }
    for inserts in in_statements(&batch.inserts, |insert| insert.content.len() + 128) {
        bounded(transaction.query_drop(insert_rows(names, inserts))).await?;
        // One INSERT of known length takes neighbouring ids (MySQL manual, "AUTO_INCREMENT Handling in
        // InnoDB", simple inserts), and LAST_INSERT_ID is the first of them.
        let first = transaction.last_insert_id().unwrap_or(0);
        bounded(transaction.query_drop(insert_records(inserts, first, increment))).await?;
    }
    for statement in deletes(names, batch) {
        bounded(transaction.query_drop(statement)).await?;
    }
    let mut applied = Applied::default();
    for ack in &batch.acks {
        applied.removed.push(if ack.rows.is_empty() {
            0
        } else {
            let rows = list(ack.rows);
            bounded(transaction.query_drop(format!(
                "DELETE FROM `{}` WHERE `receiver_id` = {} AND `offline_id` IN ({rows})",
                schema::MESSAGE,
                ack.receiver
            )))
            .await?;
            bounded(transaction.query_drop(format!(
                "DELETE FROM {} WHERE {} = {} AND {} IN ({rows})",
                names.offline_message, names.receiver_id, ack.receiver, names.id
            )))
            .await?;
            transaction.affected_rows()
        });
    }
    // Counters last and by id: the fewer locks are held while they are taken, and the same order for
    // everybody, the fewer deadlocks.
    if !batch.counters.is_empty() {
        bounded(transaction.query_drop(counters(names, batch))).await?;
    }
    if !batch.tell.is_empty() {
        let sql = format!(
            "SELECT {id}, COALESCE({unread}, 0) FROM {user} WHERE {id} IN ({})",
            list(&batch.tell),
            id = names.user_id,
            unread = names.unread_count,
            user = names.user,
        );
        let found: Vec<(i64, i64)> = bounded(transaction.query(sql)).await?;
        applied.counters = found
            .into_iter()
            .filter_map(|(user, count)| {
                Some((UserId::try_from(user).ok()?, u64::try_from(count).unwrap_or(0)))
            })
            .collect();
    }
    Ok(applied)
}

fn moves(moves: &[Move]) -> String {
    let mut set = String::new();
    let mut at = Vec::with_capacity(moves.len());
    for Move { partition, from, to } in moves {
        // Writing to a String cannot fail; a position is digits and a hyphen.
        let _ = write!(set, " WHEN {partition} THEN '{to}'");
        at.push(format!("({partition}, '{from}')"));
    }
    format!(
        "UPDATE `{}` SET `log_id` = CASE `partition_id`{set} END WHERE (`partition_id`, `log_id`) IN ({})",
        schema::POSITION,
        at.join(", ")
    )
}

fn insert_rows(names: &Names, inserts: &[Insert<'_>]) -> String {
    let rows: Vec<_> = inserts
        .iter()
        .map(|insert| {
            let seconds = insert.time_ms / 1000;
            format!(
                "({}, {}, {}, FROM_UNIXTIME({seconds}))",
                insert.sender,
                insert.receiver,
                quoted(insert.content)
            )
        })
        .collect();
    format!(
        "INSERT INTO {} ({}, {}, {}, {}) VALUES {}",
        names.offline_message,
        names.sender_id,
        names.receiver_id,
        names.content,
        names.send_time,
        rows.join(", ")
    )
}

fn insert_records(inserts: &[Insert<'_>], first: u64, increment: u64) -> String {
    let rows: Vec<_> = inserts
        .iter()
        .zip((first..).step_by(usize::try_from(increment).unwrap_or(1)))
        .map(|(insert, row)| {
            let kind = insert.kind.map_or("NULL".to_owned(), |kind| quoted(&kind.encode()));
            format!(
                "({row}, {}, {}, {kind}, {})",
                insert.receiver,
                quoted(insert.id.as_str()),
                insert.time_ms
            )
        })
        .collect();
    // REPLACE, because a TRUNCATE of the application's table leaves records whose row ids come again.
    format!(
        "REPLACE INTO `{}` (`offline_id`, `receiver_id`, `message_id`, `type`, `time_ms`) VALUES {}",
        schema::MESSAGE,
        rows.join(", ")
    )
}

/// The statements that remove confirmed rows: those we have a record of, and those that the application
/// inserted itself, which are known by row id and time.
fn deletes(names: &Names, batch: &Batch<'_>) -> Vec<String> {
    let Names { offline_message, id, receiver_id, .. } = names;
    let (mut recorded, mut own) = (Vec::new(), Vec::new());
    for (receiver, message) in &batch.confirms {
        match message.as_row() {
            Some((row, unix_time)) => own.push(format!("({row}, {receiver}, {unix_time})")),
            None => recorded.push(format!("({receiver}, {})", quoted(message.as_str()))),
        }
    }
    let mut statements = Vec::new();
    for confirmed in in_statements(&own, String::len) {
        // The rows are found by their key; the time is compared as it was made when the row was read.
        let rows: Vec<_> = confirmed.iter().filter_map(|row| row[1..].split(',').next()).collect();
        statements.push(format!(
            "DELETE FROM {offline_message} WHERE {id} IN ({}) \
             AND ({id}, {receiver_id}, {}) IN ({})",
            rows.join(", "),
            names.seconds(""),
            confirmed.join(", ")
        ));
    }
    for confirmed in in_statements(&recorded, String::len) {
        statements.push(format!(
            "DELETE m, o FROM `{}` m LEFT JOIN {offline_message} o ON {} \
             WHERE (m.`receiver_id`, m.`message_id`) IN ({})",
            schema::MESSAGE,
            names.record_of_row(),
            confirmed.join(", ")
        ));
    }
    statements
}

fn counters(names: &Names, batch: &Batch<'_>) -> String {
    let Names { user, user_id, unread_count, .. } = names;
    let mut cases = String::new();
    for (id, counter) in &batch.counters {
        let base = if counter.cleared { "0".to_owned() } else { format!("COALESCE({unread_count}, 0)") };
        let _ = write!(cases, " WHEN {id} THEN {base} + {}", counter.added);
    }
    let users: Vec<_> = batch.counters.keys().collect();
    format!(
        "UPDATE {user} SET {unread_count} = CASE {user_id}{cases} END WHERE {user_id} IN ({}) ORDER BY {user_id}",
        list(&users)
    )
}

fn quoted(text: &str) -> String {
    text.to_value().as_sql(false)
}

/// Cuts a list into runs that each make a statement of bearable size.
fn in_statements<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        size += bytes(item);
        if size > STATEMENT_BYTES && at > start {
            runs.push(&items[start..at]);
            (start, size) = (at, bytes(item));
        }
    }
    if start < items.len() {
        runs.push(&items[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_stays_small_and_no_item_is_left_out() {
        let items = [10, STATEMENT_BYTES, 20, 30, STATEMENT_BYTES * 2];
        let runs = in_statements(&items, |size| *size);
        assert_eq!(runs.concat(), items);
        assert_eq!(runs.len(), 4);
        assert!(in_statements(&[] as &[usize], |size| *size).is_empty());
    }

    #[test]
    fn quoting_leaves_no_way_out_of_the_string() {
        assert_eq!(quoted(r"a'b\c"), r"'a\'b\\c'");
        assert_eq!(quoted("\0\n\r\u{1a}"), r"'\0\n\r\Z'");
    }
}
