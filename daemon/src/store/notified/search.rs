//! The search for new rows of the message table.

use std::ops::RangeInclusive;

use chatpush_wire::id::UserId;
use mysql_async::Row;
use mysql_async::prelude::FromValue;

use super::{all, time};
use crate::store::error::UnavailableCause;
use crate::store::statements::notified::{self, New, search};
use crate::store::{Store, StoreError, schema};

/// A row, as it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    /// Its key.
    pub(crate) key: u64,
    /// Its receiver, if it waits; none if the column holds no user id.
    pub(crate) receiver: Option<UserId>,
    /// Its time in seconds since 1970; 0 if it has none.
    pub(crate) seconds: u64,
    /// Whether its receiver is looked at later anyway, or is due, or somebody was told.
    pub(crate) is_settled: bool,
}

/// A receiver for whom a message waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewReceiver {
    /// The user.
    pub(crate) user: UserId,
    /// When to look at the user, by MySQL's clock.
    pub(crate) check_at: u64,
    /// Whether the user is connected now.
    pub(crate) is_connected: bool,
}

/// Up to which key receivers were looked for, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// They need not be looked for again.
    pub(crate) for_good: u64,
    /// For the first time.
    pub(crate) reached: u64,
}

impl Store {
    /// Rows with keys in this range, by key, at most `limit`; and the time before they were read.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`]; so have all others here.
    pub(crate) async fn scan_receivers(
        &self,
        keys: &RangeInclusive<u64>,
        limit: u32,
    ) -> Result<(Vec<NewRow>, u64), StoreError> {
        let tables = self.tables().await?;
        let queries = [notified::NOW.to_owned(), search::scan(&tables, keys, limit)];
        let mut found = self.read(&queries).await?.into_iter();
        let mut next = || found.next().unwrap_or_default();
        let (now, rows) = (time(next())?, next());
        let ids = tables.user_id_type;
        // The search goes on behind the last row, so none is left out, whatever its columns hold.
        let rows = rows.into_iter().map(|row| {
            let key = column(&row, 0).ok_or(StoreError::Unavailable(UnavailableCause::Column("id")))?;
            let receiver = column::<String>(&row, 1).filter(|_| column(&row, 2).unwrap_or(false));
            Ok::<_, StoreError>(NewRow {
                key,
                receiver: receiver.and_then(|receiver| ids.text(&receiver).ok()),
                seconds: column(&row, 3).unwrap_or(0),
                is_settled: column(&row, 4).unwrap_or(false),
            })
        });
        Ok((rows.collect::<Result<_, _>>()?, now))
    }

    /// Up to which key receivers were looked for.
    pub(crate) async fn scanned(&self) -> Result<Scanned, StoreError> {
        let mut found = all::<u64>(self.read_one(search::scanned()).await?);
        let for_good = found.next().ok_or_else(|| {
            let text = format!("the table {} has no row", schema::NOTIFY_SCAN);
            StoreError::Unavailable(UnavailableCause::NotMigrated(text))
        })?;
        Ok(Scanned { for_good, reached: found.next().unwrap_or(for_good) })
    }

    /// A number that grows when connections are lost. MySQL may have lost its last commits then, and give keys that were
    /// looked at to other rows.
    pub(crate) fn generation(&self) -> u64 {
        self.pool.generation()
    }

    /// Records it.
    pub(crate) async fn record_scanned(
        &self,
        Scanned { for_good, reached }: Scanned,
    ) -> Result<(), StoreError> {
        self.change(&[search::record_scanned(for_good, reached)]).await.map(drop)
    }

    /// The key that the next row of the message table will have, at least.
    pub(crate) async fn next_key(&self) -> Result<u64, StoreError> {
        let tables = self.tables().await?;
        let table = all::<(String, String)>(self.read_one(search::show_table(&tables)).await?).next();
        Ok(next_key(&table.unwrap_or_default().1))
    }

    /// Messages may wait for these users since now.
    pub(crate) async fn note_waiting(&self, users: &[NewReceiver], now: u64) -> Result<(), StoreError> {
        if users.is_empty() {
            return Ok(());
        }
        let users = users.iter().map(|NewReceiver { user, check_at, is_connected }| New {
            user,
            check_at: *check_at,
            is_connected: *is_connected,
        });
        self.change(&[notified::note(users, now)]).await.map(drop)
    }
}

/// The next key, from the definition of a table (MySQL manual, "SHOW CREATE TABLE"). It is not there in a table
/// that has had no row. `information_schema` may be a day behind.
fn next_key(definition: &str) -> u64 {
    let options = definition.rsplit_once("\n)").map_or("", |(_, options)| options);
    let next = options.split_whitespace().find_map(|option| option.strip_prefix("AUTO_INCREMENT="));
    next.and_then(|next| next.parse().ok()).unwrap_or(1)
}

/// What a column holds, if it is what is expected.
fn column<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt(index)?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_an_option_of_the_table() {
        let table = |options: &str| {
            format!(
                "CREATE TABLE `m` (\n  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'AUTO_INCREMENT=7'\n) {options}"
            )
        };
        assert_eq!(next_key(&table("ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4")), 42);
        assert_eq!(next_key(&table("ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")), 1);
        assert_eq!(next_key(""), 1);
    }
}
