//! Whether Redis and the database belong together, and fit this version.

use chatpush_wire::installation::{ContentColumn, Installation};
use redis::Client;

use super::Finding;
use crate::base::backoff::Failure as _;
use crate::broker::Commands;
use crate::config::Config;
use crate::store::installation::{InstallationRow, WriterSession};
use crate::store::{Store, StoreError, bounded};

pub(super) async fn check(config: &Config, store: &Store) -> Vec<Finding> {
    let found = row(store).await;
    let partitions = store.positions().await;
    let row = match found {
        Ok(row) => row,
        Err(error) => return vec![Finding::wrong("installation", error.to_string())],
    };
    let partitions = match partitions {
        Ok(_) => Finding::fine("partitions", ""),
        Err(error) => Finding::wrong("partitions", error.to_string()),
    };
    let writer = store.writer_connection().await.ok().flatten();
    let counts = config.mysql.as_ref().is_some_and(|mysql| mysql.names.unread_by_conversation);
    let own = Installation::of_database(row.uuid, config.user_id_type, ContentColumn::default())
        .counting_conversations(counts);
    vec![agreement(config, own, writer).await, partitions]
}

async fn row(store: &Store) -> Result<InstallationRow, StoreError> {
    let mut connection = store.connection().await?;
    let row = store.installation_row(&mut connection).await;
    bounded(connection.disconnect()).await?;
    row
}

/// Whether Redis belongs to this installation. The daemon writes the record when it starts. `writer`: the
/// connection of a daemon that writes to the database.
pub(super) async fn agreement(config: &Config, own: Installation, writer: Option<WriterSession>) -> Finding {
    let name = "installation";
    let record = match Client::open(config.redis.clone()) {
        Ok(client) => Commands::new(client).installation(&config.prefix).await,
        Err(error) => Err(error.into()),
    };
    match record {
        Ok(None) if writer.is_some() => Finding::wrong(
            name,
            "a chatpushd writes to this database and does not use this Redis: compare CHATPUSH_REDIS_URL, with \
             its database number",
        ),
        Ok(None) => Finding::fine(name, "new in this Redis"),
        Ok(Some(record)) => match Installation::decode(&record).and_then(|found| found.admits(&own)) {
            Ok(()) => Finding::fine(name, own.name()),
            Err(mismatch) => Finding::wrong(name, mismatch.to_string()),
        },
        Err(error) => Finding::wrong(name, error.report()),
    }
}
