//! Reading: stored rows, unread counters, positions.
//!
//! Rows and counters are read from a server that has reached a position. The position is selected before them
//! over the same connection, in the same round trip, so what is read is not older.

use chatpush_wire::conversation::Conversation;
use std::collections::BTreeMap;

use chatpush_wire::frame::{self, MessageType};
use chatpush_wire::id::{MessageId, Sender, UserId, UserIdType};
use chatpush_wire::limit::UNREAD_CONVERSATIONS;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{self, SendTime};
use mysql_async::Row;
use mysql_async::prelude::FromValue;

use super::error::UnavailableCause;
use super::statements::{id_literal, parts, position};
use super::tables::{Tables, TimeColumn};
use super::{Store, StoreError, identity, schema};
use crate::config::Names;
use crate::log::position::Position;

/// A stored row and the type it was stored with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    /// The row as the extension gets it.
    pub(crate) row: reply::Row,
    /// Its type; none for a message stored without one.
    pub(crate) message_type: Option<MessageType>,
}

/// Rows of one user, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowPage {
    /// The rows.
    pub(crate) rows: Vec<StoredRow>,
    /// Bytes of their contents.
    pub(crate) bytes: usize,
    /// Whether more rows may follow.
    pub(crate) has_more: bool,
}

/// A user's unread counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// All messages.
    pub(crate) count: u64,
    /// What each conversation counts, of those above 0; none if that is not counted.
    pub(crate) by: Option<BTreeMap<String, u64>>,
    /// Whether others count something too.
    pub(crate) more: bool,
}

impl Unread {
    /// What was found: at most `most` of the conversations are kept.
    pub(super) fn new(count: u64, mut by: Option<BTreeMap<String, u64>>, most: usize) -> Self {
        let end = by.as_ref().and_then(|by| by.keys().nth(most).cloned());
        let more = end.zip(by.as_mut()).map(|(end, by)| by.split_off(&end)).is_some();
        Self { count, by, more }
    }

    /// The frame for clients.
    pub(crate) fn frame(&self) -> String {
        frame::unread(self.count, self.by.as_ref(), self.more)
    }
}

/// Most conversations of a user that PHP gets.
const CONVERSATIONS: usize = 10_000;

/// Rows of the first read of a mailbox. Most have fewer.
const FIRST_ROWS: u32 = 32;

/// Most rows that are read at a time.
const MAX_ROWS: u32 = 200;

/// Where the reading of a mailbox stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    /// The id of the last row that was read.
    after: u64,
    /// Rows and bytes of the last page.
    last: Option<(usize, usize)>,
}

impl Cursor {
    /// Only rows with ids above `after` are read.
    pub(crate) const fn new(after: u64) -> Self {
        Self { after, last: None }
    }

    /// Moves behind a page.
    pub(crate) fn advance(&mut self, page: &RowPage) {
        self.after = page.rows.last().map_or(self.after, |stored| stored.row.id);
        self.last = Some((page.rows.len(), page.bytes));
    }

    /// How many rows to read for `max_bytes`, given the size of the last ones: rows that do not fit are read
    /// in vain, so it is at most twice as many as the last page had, or as would fit.
    fn limit(&self, max_bytes: usize) -> u32 {
        let Some((rows, bytes)) = self.last else { return FIRST_ROWS };
        let fitting = max_bytes.saturating_mul(rows) / bytes.max(1) + 1;
        u32::try_from(fitting.min(rows * 2)).unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS)
    }
}

impl Store {
    /// One page of a user's rows with ids above `after`, oldest first: at most `limit` rows and at most
    /// `max_bytes` of content, but always one row if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Behind`] if the server has not reached `least`, the position of the user's partition; when
    /// the database cannot be reached or its tables are not as configured.
    pub(crate) async fn rows(
        &self,
        user: &UserId,
        least: Position,
        after: u64,
        limit: u32,
        max_bytes: usize,
    ) -> Result<RowPage, StoreError> {
        let tables = self.tables().await?;
        let mut cursor = Cursor::new(after);
        let mut all = RowPage::default();
        loop {
            let left = limit.saturating_sub(u32::try_from(all.rows.len()).unwrap_or(u32::MAX));
            let bytes_left = max_bytes.saturating_sub(all.bytes);
            let rows = cursor.limit(bytes_left).min(left);
            let query = select_rows(&tables, user, cursor.after, rows);
            let [found] = self.read_reached(user, least, vec![query]).await?;
            let part = page(found, &tables, rows, bytes_left, all.rows.is_empty())?;
            cursor.advance(&part);
            let cut = part.rows.len() < rows as usize;
            all.bytes += part.bytes;
            all.has_more = part.has_more;
            all.rows.extend(part.rows);
            if cut || all.rows.len() >= limit as usize {
                return Ok(all);
            }
        }
    }

    /// The unread counter, 0 for a user without a row. A counter that is NULL or below zero, which only the
    /// application can cause, is read as 0.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`].
    pub(crate) async fn unread(&self, user: &UserId, least: Position) -> Result<Unread, StoreError> {
        let queries = self.select_unread(user, CONVERSATIONS);
        let [counters, parts] = self.read_reached(user, least, queries).await?;
        self.unread_of(counters, parts, CONVERSATIONS)
    }

    /// The counter in the only row, or 0 if there is none, and what conversations count.
    fn unread_of(&self, counters: Vec<Row>, parts: Vec<Row>, most: usize) -> Result<Unread, StoreError> {
        let count = unread(counters)?;
        let by = self
            .names()
            .unread_by_conversation
            .then(|| parts.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok()).collect());
        Ok(Unread::new(count, by, most))
    }

    /// The next page of a user's rows, of at most `max_bytes` of content, but always one row if there is one;
    /// and the counter as it is after the page was read, as for a frame. Both in one round trip.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`].
    pub(crate) async fn rows_and_unread(
        &self,
        user: &UserId,
        least: Position,
        cursor: &Cursor,
        max_bytes: usize,
    ) -> Result<(RowPage, Unread), StoreError> {
        let limit = cursor.limit(max_bytes);
        let tables = self.tables().await?;
        let mut queries = vec![select_rows(&tables, user, cursor.after, limit)];
        queries.extend(self.select_unread(user, UNREAD_CONVERSATIONS));
        let [rows, counters, parts] = self.read_reached(user, least, queries).await?;
        let unread = self.unread_of(counters, parts, UNREAD_CONVERSATIONS)?;
        Ok((page(rows, &tables, limit, max_bytes, true)?, unread))
    }

    /// The rows of each query, from a server that has reached `least`; none of a query that was not sent.
    async fn read_reached<const N: usize>(
        &self,
        user: &UserId,
        least: Position,
        queries: Vec<String>,
    ) -> Result<[Vec<Row>; N], StoreError> {
        let mut all = vec![position::select_one(Partition::of(user))];
        all.extend(queries);
        let mut results = self.read(&all).await?.into_iter();
        let reached = results.next().and_then(|rows| rows.into_iter().next());
        let reached = reached.and_then(|row| mysql_async::from_row_opt::<String>(row).ok());
        let reached: Position = reached.and_then(|reached| reached.parse().ok()).unwrap_or_default();
        if reached < least {
            return Err(StoreError::Behind(reached));
        }
        Ok(only(results))
    }

    /// The queries for the counter, and for what conversations count: one more of them than is kept.
    fn select_unread(&self, user: &UserId, most: usize) -> Vec<String> {
        let names = self.names();
        let mut queries = vec![format!(
            "SELECT {} AS `unread_count` FROM {} WHERE {} = {}{}",
            names.unread_count,
            names.user,
            names.user_id,
            id_literal(user),
            names.of_counters()
        )];
        if names.unread_by_conversation {
            queries.push(parts::select_of(names, user, most + 1));
        }
        queries
    }

    /// The position of each partition.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`]; also when the table was created for another number of partitions.
    pub(crate) async fn positions(&self) -> Result<Vec<(Partition, Position)>, StoreError> {
        let [rows] = only(self.read(&[position::select()]).await?.into_iter());
        positions(rows)
    }
}

/// The position of each partition, from the rows of [`position::select`].
pub(super) fn positions(rows: Vec<Row>) -> Result<Vec<(Partition, Position)>, StoreError> {
    let found: Vec<(u8, String)> =
        rows.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok()).collect();
    let expected = usize::from(Partition::COUNT);
    let positions: Vec<_> = found
        .iter()
        .filter_map(|(partition, position)| Some((Partition::new(*partition)?, position.parse().ok()?)))
        .collect();
    if (found.len(), positions.len()) == (expected, expected) {
        return Ok(positions);
    }
    let (table, found) = (schema::POSITION, found.len());
    Err(StoreError::Unavailable(UnavailableCause::Partitions { table, expected, found }))
}

/// Of the rows that were found with this limit, those that fit into `max_bytes`; the first one anyway if
/// `first_fits`.
fn page(
    rows: Vec<Row>,
    tables: &Tables,
    limit: u32,
    max_bytes: usize,
    first_fits: bool,
) -> Result<RowPage, StoreError> {
    let mut page = RowPage { has_more: rows.len() >= limit as usize, ..RowPage::default() };
    for row in rows {
        let stored = StoredRow::new(row, tables)?;
        let bytes = page.bytes + stored.row.content.len();
        if bytes > max_bytes && !(first_fits && page.rows.is_empty()) {
            page.has_more = true;
            break;
        }
        page.bytes = bytes;
        page.rows.push(stored);
    }
    Ok(page)
}

fn select_rows(tables: &Tables, user: &UserId, after: u64, limit: u32) -> String {
    select(tables, user, after, "", limit)
}

/// The newest row of a user that waits.
pub(super) fn select_last(tables: &Tables, user: &UserId) -> String {
    select(tables, user, 0, " DESC", 1)
}

/// Those of these rows that wait, each of a user.
pub(super) fn select_of_users(tables: &Tables, rows: &[(&UserId, u64)]) -> String {
    let (id, receiver) = (&tables.id, &tables.receiver_id);
    let row =
        |(user, key): &(&UserId, u64)| format!("(o.{id} = {key} AND o.{receiver} = {})", id_literal(user));
    let rows = rows.iter().map(row).collect::<Vec<_>>().join(" OR ");
    select_joined(tables, "LEFT JOIN", &format!("({rows})"), "")
}

/// The rows of a query, with at most so many characters of each content. A content of bytes is UTF-8.
pub(super) fn starts(query: &str, characters: usize) -> String {
    format!(
        "SELECT `id`, `sender_id`, LEFT(CONVERT(`content` USING utf8mb4), {characters}) AS `content`, `send_time`, \
         `unix_time`, `digest`, `message_id`, `type`, `conversation`, `time_ms` FROM ({query}) `last`"
    )
}

/// Rows of a user that wait, with keys above `after`, in this direction of the keys.
fn select(tables: &Tables, user: &UserId, after: u64, direction: &str, limit: u32) -> String {
    let which = |column: &str| format!("ORDER BY {column}{direction} LIMIT {limit}");
    let of_rows = which(&format!("o.{}", tables.id));
    let (id, receiver, user) = (&tables.id, &tables.receiver_id, id_literal(user));
    let of_user = |after| format!("o.{receiver} = {user} AND o.{id} > {after}");
    let newer = select_joined(tables, "LEFT JOIN", &of_user(after.max(tables.kept)), &of_rows);
    if !tables.has_own_kept || after >= tables.kept {
        return newer;
    }
    // Of the rows that are left alone, only what chatpush has stored: the index of its records finds them.
    let own =
        format!("{} AND m.`receiver_id` = {user} AND m.`offline_id` <= {}", of_user(after), tables.kept);
    let own = select_joined(tables, "JOIN", &own, &of_rows);
    format!("({own}) UNION ALL ({newer}) {}", which("`id`"))
}

/// Selects rows that wait and their records, which are joined in this way.
fn select_joined(tables: &Tables, join: &str, condition: &str, which: &str) -> String {
    let names: &Names = tables;
    format!(
        "SELECT o.{id} AS `id`, o.{sender} AS `sender_id`, \
         o.{content} AS `content`, {time}, {digest} AS `digest`, \
         m.`message_id`, m.`type`, m.`conversation`, m.`time_ms` \
         FROM {table} o {join} `{MESSAGE}` m ON {record_of_row} WHERE {condition}{waits} {which}",
        MESSAGE = schema::MESSAGE,
        table = names.offline_message,
        id = names.id,
        sender = names.sender_id,
        content = names.content,
        time = time(tables),
        digest = identity::digest(names, "o."),
        record_of_row = identity::record_of_row(tables),
        waits = tables.waits("o."),
    )
}

/// SQL for the time of a row, as PHP gets it, and in whole seconds since 1970. It depends on the session's time
/// zone, so nothing is identified by it.
fn time(tables: &Tables) -> String {
    let seconds = seconds(tables);
    let shown = match (tables.time, &tables.send_time) {
        (TimeColumn::Seconds, Some(_)) => seconds.clone(),
        (TimeColumn::DateTime, Some(time)) => format!("CAST(o.{time} AS CHAR)"),
        (TimeColumn::Missing, _) | (_, None) => "''".to_owned(),
    };
    format!("{shown} AS `send_time`, {seconds} AS `unix_time`")
}

/// SQL for the time of a row in whole seconds since 1970, 0 if it has none.
pub(super) fn seconds(tables: &Tables) -> String {
    match (tables.time, &tables.send_time) {
        (TimeColumn::Seconds, Some(time)) => format!("COALESCE(CAST(o.{time} AS SIGNED), 0)"),
        (TimeColumn::DateTime, Some(time)) => {
            format!("COALESCE(CAST(UNIX_TIMESTAMP(o.{time}) AS SIGNED), 0)")
        }
        (TimeColumn::Missing, _) | (_, None) => "0".to_owned(),
    }
}

/// The rows of exactly `N` queries.
fn only<const N: usize>(mut results: impl Iterator<Item = Vec<Row>>) -> [Vec<Row>; N] {
    std::array::from_fn(|_| results.next().unwrap_or_default())
}

/// The counter in the only row, or 0 if there is none.
fn unread(rows: Vec<Row>) -> Result<u64, StoreError> {
    let Some(mut row) = rows.into_iter().next() else { return Ok(0) };
    let count: Option<i64> = column(&mut row, "unread_count")?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

impl StoredRow {
    /// A row of [`select`].
    pub(super) fn new(mut row: Row, tables: &Tables) -> Result<Self, StoreError> {
        // The application's columns may allow NULL, although those of the default schema do not.
        let id = column(&mut row, "id")?;
        let content: Option<Vec<u8>> = column(&mut row, "content")?;
        let send_time: Option<String> = column(&mut row, "send_time")?;
        let unix_time: i64 = column(&mut row, "unix_time")?;
        let digest: [u8; 8] = column::<Vec<u8>>(&mut row, "digest")?.try_into().unwrap_or_default();
        let message_id: Option<String> = column(&mut row, "message_id")?;
        let message_type: Option<String> = column(&mut row, "type")?;
        let conversation: Option<String> = column(&mut row, "conversation")?;
        let time_ms: Option<u64> = column(&mut row, "time_ms")?;
        let message_id = message_id.and_then(|id| MessageId::try_from(id).ok());
        Ok(Self {
            row: reply::Row {
                id,
                sender: sender(&mut row, tables.user_id_type)?,
                // The connection uses utf8mb4, so MySQL has converted every other character set.
                content: String::from_utf8_lossy(&content.unwrap_or_default()).into_owned(),
                send_time: match tables.time {
                    TimeColumn::Seconds => SendTime::Seconds(unix_time),
                    _ => SendTime::Text(send_time.unwrap_or_default()),
                },
                message_id: message_id.unwrap_or_else(|| MessageId::of_row(id, u64::from_be_bytes(digest))),
                time_ms: time_ms.unwrap_or_else(|| u64::try_from(unix_time).unwrap_or(0) * 1000),
                conversation: conversation.and_then(|name| Conversation::try_from(name).ok()),
            },
            message_type: message_type.as_deref().and_then(MessageType::decode),
        })
    }
}

/// The sender of a row. The column may be NULL, and hold what is no user id.
fn sender(row: &mut Row, ids: UserIdType) -> Result<Sender, StoreError> {
    let mut number = || column::<Option<i64>>(row, "sender_id").map(Option::unwrap_or_default);
    Ok(match ids {
        UserIdType::Int => Sender::Int(number()?),
        UserIdType::BigInt => Sender::BigInt(number()?),
        UserIdType::Text => {
            let text: Option<Vec<u8>> = column(row, "sender_id")?;
            Sender::Text(String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
        }
    })
}

/// Takes a column out of a row.
pub(super) fn column<T: FromValue>(row: &mut Row, name: &'static str) -> Result<T, StoreError> {
    let value = row.take_opt(name).and_then(Result::ok);
    value.ok_or(StoreError::Unavailable(UnavailableCause::Column(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_size_of_the_last_ones() {
        let after = |rows, bytes| Cursor { after: 0, last: Some((rows, bytes)) }.limit(256 * 1024);
        assert_eq!(Cursor::new(7).limit(256 * 1024), FIRST_ROWS);
        assert_eq!(after(50, 50), 100, "small rows: twice as many");
        assert_eq!(after(150, 150), MAX_ROWS);
        assert_eq!(after(4, 4 * 60_000), 5, "large rows: as many as fit");
        assert_eq!(after(1, 1_000_000), 1);
        assert_eq!(after(0, 0), 1, "after an empty page");
    }
}
