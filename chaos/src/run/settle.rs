//! Waits until the cluster has nothing left to do.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chatpush_wire::partition::Partition;
use redis::AsyncCommands as _;
use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;

/// Limit for each wait after a fault: for a store to succeed, for all logs to be applied, for all rows to go.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The same if a promise is broken, so that some of it may never come.
const BROKEN_SETTLE_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) fn settle_timeout(cluster: &Cluster) -> Duration {
    if cluster.breaks_a_promise() { BROKEN_SETTLE_TIMEOUT } else { SETTLE_TIMEOUT }
}

/// Waits until all daemons are ready and all logs are applied.
pub(super) async fn wait_until_settled(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + settle_timeout(cluster);
    loop {
        let mut settled = true;
        for number in 0..cluster.daemons() {
            settled &= match cluster.daemon(number) {
                Some(daemon) => daemon.is_ready().await,
                None => false,
            };
        }
        // Applied entries stay in the logs for some seconds.
        let positions = cluster.query("SELECT partition_id, log_id FROM chatpush_position").await;
        for row in positions.unwrap_or_else(|_| vec![vec!["0".to_owned(), "0-0".to_owned()]]) {
            let partition = Partition::new(row[0].parse()?).context("a partition")?;
            settled &= settled && is_applied(cluster, partition, &row[1]).await.unwrap_or(false);
        }
        if settled {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not every daemon is ready, or a log is not applied, after {:?}", settle_timeout(cluster));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether nothing waits behind this position in the log of a partition.
async fn is_applied(cluster: &Cluster, partition: Partition, position: &str) -> anyhow::Result<bool> {
    let client = redis::Client::open(cluster.redis().url_of(partition).await?)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let log = cluster.prefix()?.log(partition);
    let waiting: Vec<redis::Value> = connection.xrange_count(log, format!("({position}"), "+", 1).await?;
    Ok(waiting.is_empty())
}

/// Waits until the application was told of everything that has happened.
pub(super) async fn wait_until_told(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + settle_timeout(cluster);
    loop {
        let waiting = cluster.number("SELECT COUNT(*) FROM chatpush_webhook").await?;
        if waiting == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{waiting} events are not told of in time");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the clients have confirmed all rows. Returns the number of rows that are left at the deadline.
pub(super) async fn wait_until_drained(cluster: &Cluster) -> anyhow::Result<u64> {
    let deadline = Instant::now() + settle_timeout(cluster);
    loop {
        let left = cluster.number(&cluster.schema.count_waiting()).await?;
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(Duration::from_millis(100)).await;
    }
}
