//! Dead letters: entries that MySQL refused, with the reason.

use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable;

use super::statements::list;
use super::{Store, StoreError, bounded, schema};

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    /// Its id in the table.
    pub(crate) number: u64,
    /// The partition in whose log it was.
    pub(crate) partition: Option<Partition>,
    /// Its fields in the log.
    pub(crate) fields: Vec<(String, String)>,
    /// Why MySQL refused it.
    pub(crate) error: String,
    /// When MySQL refused it.
    pub(crate) died_at: String,
}

impl Store {
    /// Every dead letter, or those with these numbers, oldest first.
    pub(crate) async fn dead_letters(&self, numbers: Option<&[u64]>) -> Result<Vec<DeadLetter>, StoreError> {
        let which = numbers.map_or("TRUE".to_owned(), |numbers| format!("`id` IN ({})", list(numbers)));
        self.dead_letters_where(&format!("{which} ORDER BY `id`")).await
    }

    /// The last ones, at most `most`, newest first.
    pub(crate) async fn last_dead_letters(&self, most: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.dead_letters_where(&format!("TRUE ORDER BY `id` DESC LIMIT {most}")).await
    }

    async fn dead_letters_where(&self, which: &str) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = format!(
            "SELECT `id`, `partition_id`, `entry`, `error`, CAST(`died_at` AS CHAR) FROM `{}` \
             WHERE {which}",
            schema::DEAD_LETTER
        );
        let (mut connection, generation) = self.pool.take().await?;
        let found: Vec<(u64, u8, String, String, String)> = bounded(connection.query(sql)).await?;
        self.pool.keep(connection, generation);
        let entries = found.into_iter().map(|(number, partition, fields, error, died_at)| DeadLetter {
            number,
            partition: Partition::new(partition),
            fields: serde_json::from_str(&fields).unwrap_or_default(),
            error,
            died_at,
        });
        Ok(entries.collect())
    }

    /// Deletes a dead letter, if it exists.
    pub(crate) async fn delete_dead_letter(&self, number: u64) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM `{}` WHERE `id` = {number}", schema::DEAD_LETTER);
        let (mut connection, generation) = self.pool.take().await?;
        bounded(connection.query_drop(sql)).await?;
        self.pool.keep(connection, generation);
        Ok(())
    }
}
