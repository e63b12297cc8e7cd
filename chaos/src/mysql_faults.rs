//! Faults of the database that its servers survive.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::workers::Message;

/// Zones with whole, half and no hours of difference, and one that has none of the others' days.
const ZONES: [&str; 6] = ["+00:00", "+05:30", "-08:00", "+13:00", "+08:00", "SYSTEM"];

/// A planned failover: the primary refuses writes, the replica is promoted, and new connections lead to it.
/// The old one lives on, with all connections that it has, and becomes a replica `lasts` later.
pub(crate) async fn fail_over(cluster: &mut Cluster, lasts: Duration) -> anyhow::Result<()> {
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
pub(crate) async fn change_time_zone(cluster: &Cluster, number: usize) -> anyhow::Result<()> {
    let zone = ZONES[number % ZONES.len()];
    cluster.query(&format!("SET GLOBAL time_zone = '{zone}'")).await.map(drop)
}

/// Another distance of ids, for every new session.
pub(crate) async fn change_increment(cluster: &Cluster, number: usize) -> anyhow::Result<()> {
    let increment = number % 5 + 1;
    cluster.query(&format!("SET GLOBAL auto_increment_increment = {increment}")).await.map(drop)
}

/// A message that MySQL refuses with an error that means nothing to the daemon. Its sender must hear that.
pub(crate) async fn send_poison(cluster: &Cluster, message: Message<'_>) -> anyhow::Result<()> {
    let outcome = message.send(&cluster.php_redis_url()).await?;
    ensure!(outcome == "rejected", "the sender of a message that MySQL refuses got: {outcome}");
    Ok(())
}
