//! What the servers hold at the end.

use std::time::Duration;

use redis::{AsyncCommands as _, AsyncConnectionConfig};

use crate::checker::Tables;
use crate::clients;
use crate::cluster::Cluster;
use crate::history::Key;
use crate::schema::Row;

/// How long Redis may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// All rows, oldest first, with the keys of their messages.
pub(super) async fn rows(cluster: &Cluster) -> anyhow::Result<Vec<(Key, Row)>> {
    let mut rows = Vec::new();
    for columns in cluster.query(&cluster.schema.select_rows()).await? {
        let row = cluster.schema.row(&columns)?;
        // Words that come again are of a message with an id.
        let own = match row.message_id.as_deref().and_then(|id| id.split_once(':')) {
            Some((_, id)) if !cluster.schema.is_application() => id,
            _ => &row.content,
        };
        rows.push((clients::key(own, row.receiver), row));
    }
    Ok(rows)
}

/// Reads the tables after the final delivery.
pub(super) async fn read(cluster: &Cluster, tables: &mut Tables) -> anyhow::Result<()> {
    let schema = &cluster.schema;
    for row in cluster.query("SELECT entry FROM chatpush_dead").await? {
        let fields: Vec<(String, String)> =
            serde_json::from_str(&row[0].replace("\\\\", "\\")).unwrap_or_default();
        tables.dead.extend(fields.into_iter().filter(|(name, _)| name == "c").map(|(_, content)| content));
    }
    for row in cluster.query(schema.select_counters()).await? {
        tables.counters.insert(schema.number(&row[0]), row[1].parse()?);
    }
    if tables.is_application {
        tables.after = rows(cluster).await?;
        tables.deleted = cluster.number("SELECT COUNT(*) FROM deleted").await?;
        let parts = "SELECT user_id, conversation, unread FROM chatpush_unread WHERE conversation <> ''";
        for row in cluster.query(parts).await? {
            tables.parts.insert((schema.number(&row[0]), row[1].clone()), row[2].parse()?);
        }
        // A total of 0 empties the parts.
        tables.parts.retain(|(user, _), _| tables.counters.get(user).is_none_or(|total| *total > 0));
    }
    Ok(())
}

/// Reports keys in Redis without a time to live, except the logs and the installation record.
pub(super) async fn keys_without_ttl(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    // On a busy machine, the answers about so many keys take longer than a client waits by default.
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_TIMEOUT));
    let mut found = Vec::new();
    for url in cluster.redis().urls().await? {
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut keys: Vec<String> = connection.keys("*").await?;
        keys.retain(|key| !key.ends_with(":log") && !key.ends_with(":installation"));
        for keys in keys.chunks(1_000) {
            let mut pipeline = redis::pipe();
            for key in keys {
                pipeline.pttl(key);
            }
            let times: Vec<i64> = pipeline.query_async(&mut connection).await?;
            let without = keys.iter().zip(times).filter(|(_, time)| *time == -1);
            found.extend(without.map(|(key, _)| format!("the key {key} has no time to live")));
        }
    }
    Ok(found)
}
