//! The search for new rows of the message table.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chatpush_wire::id::UserId;
use mysql_async::Row;
use mysql_async::prelude::FromValue;

use super::all;
use crate::store::error::UnavailableCause;
use crate::store::statements::notified::{self, search};
use crate::store::{Store, StoreError, schema};

/// A row, as it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    /// Its key.
    pub(crate) key: u64,
    /// Its receiver, if it waits; none if the column holds no user id.
    pub(crate) receiver: Option<UserId>,
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
    /// Rows with keys in this range, by key, at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`]; so have all others here.
    pub(crate) async fn scan_receivers(
        &self,
        keys: &RangeInclusive<u64>,
        limit: u32,
    ) -> Result<Vec<NewRow>, StoreError> {
        let tables = self.tables().await?;
        let rows = self.read_one(search::scan(&tables, keys, limit)).await?;
        let ids = tables.user_id_type;
        // The search goes on behind the last row, so none is left out, whatever its columns hold.
        let rows = rows.into_iter().map(|row| {
            let key = column(&row, 0).ok_or(StoreError::Unavailable(UnavailableCause::Column("id")))?;
            let receiver = column::<String>(&row, 1).filter(|_| column(&row, 2).unwrap_or(false));
            Ok::<_, StoreError>(NewRow {
                key,
                receiver: receiver.and_then(|receiver| ids.text(&receiver).ok()),
            })
        });
        rows.collect()
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

    /// Messages may wait for the receivers of these rows since now. Most of them are looked at later anyway, or are due:
    /// that is read first, to spare a change that changes nothing. Those in `noted` were noted just now.
    pub(crate) async fn note_waiting(
        &self,
        rows: &[NewRow],
        noted: &BTreeSet<UserId>,
    ) -> Result<(), StoreError> {
        let users: BTreeSet<_> = rows.iter().filter_map(|row| row.receiver.as_ref()).collect();
        let users: BTreeSet<_> = users.into_iter().filter(|user| !noted.contains(*user)).collect();
        if users.is_empty() {
            return Ok(());
        }
        let users: Vec<_> = users.into_iter().collect();
        let ids = self.names().user_id_type;
        let mut found = self.read(&[notified::NOW.to_owned(), search::settled(&users)]).await?.into_iter();
        let mut next = || found.next().unwrap_or_default();
        let now =
            all::<u64>(next()).next().ok_or(StoreError::Unavailable(UnavailableCause::Column("now")))?;
        let settled: BTreeSet<_> =
            all::<(String, Option<u64>)>(next()).filter_map(|(user, _)| ids.text(&user).ok()).collect();
        let others: Vec<_> = users.into_iter().filter(|user| !settled.contains(user)).collect();
        if others.is_empty() {
            return Ok(());
        }
        self.change(&[notified::note(&others, now)]).await.map(drop)
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
