//! Entries that MySQL refused, kept with its reason.

use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable;

use super::statements::list;
use super::{Store, StoreError, bounded, schema};

/// One refused entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    /// Its number in the table.
    pub(crate) number: u64,
    /// Whose log it was in.
    pub(crate) partition: Option<Partition>,
    /// The fields it had there.
    pub(crate) fields: Vec<(String, String)>,
    /// Why MySQL refused it.
    pub(crate) error: String,
    /// When.
    pub(crate) died_at: String,
}

impl Store {
    /// Every refused entry, oldest first, or those with these numbers.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached.
    pub(crate) async fn dead_letters(&self, numbers: Option<&[u64]>) -> Result<Vec<DeadLetter>, StoreError> {
        let which = numbers.map_or("TRUE".to_owned(), |numbers| format!("`id` IN ({})", list(numbers)));
        let sql = format!(
            "SELECT `id`, `partition_id`, `entry`, `error`, CAST(`died_at` AS CHAR) FROM `{}` \
             WHERE {which} ORDER BY `id`",
            schema::DEAD_LETTER
        );
        let mut connection = self.connection().await?;
        let found: Vec<(u64, u8, String, String, String)> = bounded(connection.query(sql)).await?;
        let entries = found.into_iter().map(|(number, partition, fields, error, died_at)| DeadLetter {
            number,
            partition: Partition::new(partition),
            fields: serde_json::from_str(&fields).unwrap_or_default(),
            error,
            died_at,
        });
        Ok(entries.collect())
    }

    /// Forgets one refused entry, if it is there.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached.
    pub(crate) async fn delete_dead_letter(&self, number: u64) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM `{}` WHERE `id` = {number}", schema::DEAD_LETTER);
        let mut connection = self.connection().await?;
        bounded(connection.query_drop(sql)).await
    }
}
