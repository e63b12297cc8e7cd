//! Redis: one server, with a replica if there are to be failovers, or a cluster. Of a cluster, a fault hits the master of
//! one partition.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use chatpush_stack::redis::ask;
use chatpush_stack::redis_cluster::RedisCluster;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use tokio::time::{Instant, sleep};

use crate::redis_pair::RedisPair;

/// How long a cluster may take to replace a master.
const REPLACED_WITHIN: Duration = Duration::from_secs(60);

/// The servers.
#[derive(Debug)]
pub(crate) enum RedisServers {
    /// A master, and perhaps a replica of it.
    Pair(RedisPair),
    /// Three masters, each with a replica.
    Cluster {
        /// The nodes.
        nodes: Box<RedisCluster>,
        /// The one that a fault has killed.
        killed: Option<usize>,
    },
}

impl RedisServers {
    /// The nodes.
    pub(crate) async fn start_cluster() -> anyhow::Result<Self> {
        Ok(Self::Cluster { nodes: Box::new(RedisCluster::start().await?), killed: None })
    }

    /// The names of an installation in it.
    pub(crate) fn prefix(&self, name: &str) -> anyhow::Result<Prefix> {
        let prefix = Prefix::try_from(name.to_owned())?;
        Ok(if matches!(self, Self::Cluster { .. }) { prefix.in_cluster() } else { prefix })
    }

    /// What clients use instead of the address of a server, if they do.
    pub(crate) fn found_by(&self) -> Option<String> {
        match self {
            Self::Pair(pair) => pair.sentinels_url(),
            Self::Cluster { nodes, .. } => Some(nodes.url()),
        }
    }

    /// The URL of the server that has a partition.
    pub(crate) async fn url_of(&self, partition: Partition) -> anyhow::Result<String> {
        match self {
            Self::Pair(pair) => Ok(pair.url()),
            Self::Cluster { nodes, .. } => {
                let master = nodes.master(partition.slot()).await?;
                Ok(format!("redis://127.0.0.1:{}", nodes.ports().nth(master).context("no such node")?))
            }
        }
    }

    /// The URLs of all servers that have partitions, of which each has an answer of its own.
    pub(crate) async fn urls(&self) -> anyhow::Result<Vec<String>> {
        let mut urls = Vec::new();
        for partition in Partition::all() {
            let url = self.url_of(partition).await?;
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(urls)
    }

    /// Kills the master of a partition with SIGKILL.
    pub(crate) async fn kill(&mut self, partition: Partition) -> anyhow::Result<()> {
        match self {
            Self::Pair(pair) => pair.kill(),
            Self::Cluster { nodes, killed } => {
                let master = nodes.master(partition.slot()).await?;
                nodes.kill(master);
                *killed = Some(master);
            }
        }
        Ok(())
    }

    /// Starts what was killed on its data. A node of a cluster is a replica then, if that was replaced.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Pair(pair) => pair.restart().await,
            Self::Cluster { nodes, killed } => {
                if let Some(node) = killed.take() {
                    nodes.start_node(node).await?;
                }
                nodes.settled().await
            }
        }
    }

    /// Makes the replica the master. The old one lives on.
    pub(crate) async fn fail_over(&mut self, partition: Partition) -> anyhow::Result<()> {
        match self {
            Self::Pair(pair) => pair.fail_over().await,
            Self::Cluster { nodes, .. } => {
                let master = nodes.master(partition.slot()).await?;
                let replica = nodes.replica(master).await?.context("the master has no replica")?;
                let port = nodes.ports().nth(replica).context("no such node")?;
                let deadline = Instant::now() + REPLACED_WITHIN;
                while nodes.master(partition.slot()).await? != replica {
                    ensure!(Instant::now() < deadline, "no failover within {REPLACED_WITHIN:?}");
                    // It may be refused if another one has just ended.
                    ask(port, &["CLUSTER", "FAILOVER"]).await?;
                    sleep(Duration::from_millis(100)).await;
                }
                nodes.settled().await
            }
        }
    }

    /// Kills the master while the replica has not received what was written in the last `lag`, waits until that is the
    /// master, and starts the old one as its replica.
    pub(crate) async fn replace_master(&mut self, partition: Partition, lag: Duration) -> anyhow::Result<()> {
        let (nodes, master) = match self {
            Self::Pair(pair) => return pair.replace_master(lag).await,
            Self::Cluster { nodes, .. } => {
                let master = nodes.master(partition.slot()).await?;
                (nodes, master)
            }
        };
        let replica = nodes.replica(master).await?.context("the master has no replica")?;
        nodes.signal(replica, "STOP");
        // One that is silent for longer is taken for dead, and then nobody takes over.
        sleep(lag.min(Duration::from_millis(500))).await;
        nodes.kill(master);
        nodes.signal(replica, "CONT");
        let deadline = Instant::now() + REPLACED_WITHIN;
        while nodes.master(partition.slot()).await.ok().is_none_or(|now| now == master) {
            ensure!(Instant::now() < deadline, "no other master within {REPLACED_WITHIN:?}");
            sleep(Duration::from_millis(20)).await;
        }
        nodes.start_node(master).await?;
        nodes.settled().await
    }

    /// Moves a partition to another master of the cluster.
    pub(crate) async fn move_partition(&mut self, partition: Partition) -> anyhow::Result<()> {
        let Self::Cluster { nodes, .. } = self else { return Ok(()) };
        let from = nodes.master(partition.slot()).await?;
        for other in Partition::all() {
            let to = nodes.master(other.slot()).await?;
            if to != from {
                nodes.move_slot(partition.slot(), to).await?;
                return nodes.settled().await;
            }
        }
        Ok(())
    }

    /// Sends a command to each master.
    pub(crate) async fn tell_all(&self, command: &[&str]) -> anyhow::Result<()> {
        for url in self.urls().await? {
            let client = ::redis::Client::open(url)?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            ::redis::Cmd::new().arg(command).exec_async(&mut connection).await?;
        }
        Ok(())
    }
}
