//! Faults of the database.

use std::time::Duration;

use anyhow::{bail, ensure};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::fault::{Fault, FaultKind};
use crate::workers::Message;

/// Zones with whole, half and no hours of difference, and one that has none of the others' days.
const ZONES: [&str; 6] = ["+00:00", "+05:30", "-08:00", "+13:00", "+08:00", "SYSTEM"];

/// Injects a fault of MySQL, and ends it.
pub(crate) async fn inject(fault: Fault, cluster: &mut Cluster) -> anyhow::Result<()> {
    match fault.kind {
        FaultKind::KillMariaDb => {
            cluster.database.kill()?;
            sleep(fault.lasts).await;
            cluster.database.restart().await
        }
        FaultKind::MysqlFailover => fail_over(cluster, fault.lasts).await,
        FaultKind::LoseCommits => lose_commits(cluster, fault.lasts).await,
        FaultKind::Increment => change_increment(cluster, fault.target).await,
        FaultKind::TimeZone => change_time_zone(cluster, fault.target).await,
        other => bail!("{other} is no fault of MySQL"),
    }
}

/// A planned failover: the primary refuses writes, the replica is promoted, and new connections lead to it.
/// The old one lives on, with all connections that it has, and becomes a replica `lasts` later.
async fn fail_over(cluster: &mut Cluster, lasts: Duration) -> anyhow::Result<()> {
    cluster.database.pair()?.demote().await?;
    sleep(lasts).await;
    cluster.database.pair()?.promote().await?;
    let socket = cluster.database.socket();
    for proxy in cluster.mysql_proxies() {
        proxy.lead_to(socket.clone());
    }
    sleep(lasts).await;
    cluster.database.pair()?.follow().await
}

/// Another time zone for the server and for every new session.
async fn change_time_zone(cluster: &Cluster, number: usize) -> anyhow::Result<()> {
    let zone = ZONES[number % ZONES.len()];
    cluster.query(&format!("SET GLOBAL time_zone = '{zone}'")).await.map(drop)
}

/// Another distance of ids, for every new session.
async fn change_increment(cluster: &Cluster, number: usize) -> anyhow::Result<()> {
    let increment = number % 5 + 1;
    cluster.query(&format!("SET GLOBAL auto_increment_increment = {increment}")).await.map(drop)
}

/// A message that MySQL refuses with an error that means nothing to the daemon. Its sender must hear that.
pub(crate) async fn send_poison(cluster: &Cluster, message: Message<'_>) -> anyhow::Result<()> {
    // What its receiver has confirmed before is not stored.
    let may_be_confirmed = message.operation == "send" && !cluster.schema.is_application();
    let outcome = message.send(&cluster.php_redis_url(), 30_000).await?;
    ensure!(
        outcome == "rejected" || may_be_confirmed && outcome == "ok",
        "the sender of a message that MySQL refuses got: {outcome}"
    );
    Ok(())
}

/// The server does not write its commits to the disk for a while, and is killed: it has lost the last second.
async fn lose_commits(cluster: &mut Cluster, lasts: Duration) -> anyhow::Result<()> {
    cluster.query("SET GLOBAL innodb_flush_log_at_trx_commit = 0").await?;
    sleep(lasts).await;
    cluster.database.kill()?;
    cluster.database.restart().await
}
