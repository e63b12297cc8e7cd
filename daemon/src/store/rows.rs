//! Reading: stored rows, unread counters, positions.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Row;
use mysql_async::prelude::Queryable;

use super::{Store, StoreError, bounded, schema};
use crate::log::position::Position;

/// A stored row and the type it was stored with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// What the extension gets.
    pub row: Row,
    /// Its type; none for a plain store.
    pub message_type: Option<MessageType>,
}

/// The application's columns may be NULL, whatever the article's are.
type Columns = (
    u64,
    Option<i64>,
    i64,
    Option<Vec<u8>>,
    Option<String>,
    i64,
    Option<String>,
    Option<String>,
    Option<u64>,
);

impl Store {
    /// One page of a user's rows with ids above `after`, oldest first: at most `limit` of them and at most
    /// `most` bytes of content, but always one row if there is one. The flag says whether rows
    /// may follow.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or its tables are not as configured.
    pub async fn rows(
        &self,
        user: UserId,
        after: u64,
        limit: u32,
        most: usize,
    ) -> Result<(Vec<StoredRow>, bool), StoreError> {
        let mut connection = self.connection().await?;
        let found = bounded(connection.query(self.rows_text(user, after, limit))).await?;
        drop(connection);
        Ok(page(found, limit, most))
    }

    /// The unread counter, 0 for a user without a row. An application may have left it NULL or driven it
    /// below zero; both read as 0.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`].
    pub async fn unread(&self, user: UserId) -> Result<u64, StoreError> {
        let mut connection = self.connection().await?;
        let counts: Vec<_> = bounded(connection.query(self.unread_text(user))).await?;
        Ok(counter(&counts))
    }

    /// A page as of [`Store::rows`], and the counter as it was when the page had been read, in one round trip.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`].
    pub async fn rows_and_unread(
        &self,
        user: UserId,
        after: u64,
        limit: u32,
        most: usize,
    ) -> Result<(Vec<StoredRow>, bool, u64), StoreError> {
        let text = format!("{}; {}", self.rows_text(user, after, limit), self.unread_text(user));
        let mut connection = self.connection().await?;
        let mut result = bounded(connection.query_iter(text)).await?;
        let found = bounded(result.collect()).await?;
        let counts: Vec<_> = bounded(result.collect()).await?;
        drop(connection);
        let (page, follows) = page(found, limit, most);
        Ok((page, follows, counter(&counts)))
    }

    fn rows_text(&self, user: UserId, after: u64, limit: u32) -> String {
        let names = self.names();
        format!(
            "SELECT o.{id}, o.{sender}, o.{receiver}, o.{content}, CAST(o.{time} AS CHAR), \
             {seconds}, m.`message_id`, m.`type`, m.`time_ms` \
             FROM {table} o LEFT JOIN `{MESSAGE}` m ON {record_of_row} \
             WHERE o.{receiver} = {user} AND o.{id} > {after} ORDER BY o.{id} LIMIT {limit}",
            MESSAGE = schema::MESSAGE,
            table = names.offline_message,
            id = names.id,
            sender = names.sender_id,
            receiver = names.receiver_id,
            content = names.content,
            time = names.send_time,
            seconds = names.seconds("o."),
            record_of_row = names.record_of_row(),
        )
    }

    fn unread_text(&self, user: UserId) -> String {
        let names = self.names();
        format!("SELECT {} FROM {} WHERE {} = {user}", names.unread_count, names.user, names.user_id)
    }

    /// How far each partition has been applied.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`]; also when the table was laid out for another number of partitions.
    pub async fn positions(&self) -> Result<Vec<(Partition, Position)>, StoreError> {
        let sql =
            format!("SELECT `partition_id`, `log_id` FROM `{}` ORDER BY `partition_id`", schema::POSITION);
        let mut connection = self.connection().await?;
        let found: Vec<(u8, String)> = bounded(connection.query(sql)).await?;
        let expected = usize::from(Partition::COUNT);
        let mismatch = || {
            let count = found.len();
            StoreError::Unavailable(format!(
                "{} must hold {expected} partitions and holds {count}: run `chatpushd migrate`, \
                 or use the chatpushd that laid it out",
                schema::POSITION
            ))
        };
        if found.len() != expected {
            return Err(mismatch());
        }
        found
            .iter()
            .map(|(partition, position)| Some((Partition::new(*partition)?, position.parse().ok()?)))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(mismatch)
    }
}

fn page(found: Vec<Columns>, limit: u32, most: usize) -> (Vec<StoredRow>, bool) {
    let full = found.len() >= limit as usize;
    let mut bytes = 0;
    let mut page = Vec::with_capacity(found.len());
    for columns in found {
        bytes += columns.3.as_ref().map_or(0, Vec::len);
        if bytes > most && !page.is_empty() {
            return (page, true);
        }
        page.push(stored_row(columns));
    }
    (page, full)
}

/// From the one row there is, or none.
fn counter(counts: &[Option<i64>]) -> u64 {
    counts.first().copied().flatten().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

fn stored_row(columns: Columns) -> StoredRow {
    let (id, sender_id, receiver_id, content, send_time, unix_time, message_id, message_type, time_ms) =
        columns;
    let known = message_id.and_then(|id| MessageId::try_from(id).ok());
    let row = Row {
        id,
        sender_id: sender_id.unwrap_or(0),
        receiver_id,
        // The connection speaks utf8mb4, so MySQL has converted whatever the column holds.
        content: String::from_utf8_lossy(&content.unwrap_or_default()).into_owned(),
        send_time: send_time.unwrap_or_default(),
        message_id: known.unwrap_or_else(|| MessageId::of_row(id, unix_time)),
        time_ms: time_ms.unwrap_or_else(|| u64::try_from(unix_time).unwrap_or(0) * 1000),
    };
    StoredRow { row, message_type: message_type.as_deref().and_then(MessageType::decode) }
}
