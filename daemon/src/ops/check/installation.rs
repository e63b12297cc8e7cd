//! Whether Redis and the database belong together, and fit this version.

use chatpush_wire::installation::{ContentColumn, Installation, Mismatch};

use super::Finding;
use crate::base::backoff::Failure as _;
use crate::broker::{Commands, heartbeats};
use crate::config::Config;
use crate::store::installation::{InstallationRow, WriterSession};
use crate::store::{Store, StoreError, bounded};

/// What it is called in reports.
const NAME: &str = "installation";

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
    let commands = Commands::new(config.redis.clone(), &config.prefix);
    match commands.installation(&config.prefix).await {
        Ok(None) if writer.is_some() => Finding::wrong(
            NAME,
            "a chatpushd writes to this database and does not use this Redis: compare CHATPUSH_REDIS_URL, with \
             its database number",
        ),
        Ok(None) => Finding::fine(NAME, "new in this Redis"),
        Ok(Some(record)) => match Installation::decode(&record).and_then(|found| found.admits(&own)) {
            Ok(()) => Finding::fine(NAME, own.name()),
            Err(mismatch) => changed(config, &commands, &mismatch).await,
        },
        Err(error) => Finding::wrong(NAME, error.report()),
    }
}

/// Whether a daemon that starts may change the record: it may change what differs, and no other daemon runs.
async fn changed(config: &Config, commands: &Commands, mismatch: &Mismatch) -> Finding {
    let Some(setting) = mismatch.changeable() else { return Finding::wrong(NAME, mismatch.to_string()) };
    match heartbeats::living(commands, &config.prefix, "", true).await {
        Ok(None) => Finding::warning(
            NAME,
            format!("{setting} is another one than before: chatpushd changes it for all when it starts"),
        ),
        Ok(Some(daemon)) => Finding::wrong(NAME, format!("{mismatch}; {daemon} runs")),
        Err(error) => Finding::wrong(NAME, error.report()),
    }
}
