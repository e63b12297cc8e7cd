//! A private Redis Cluster: three masters, each with a replica.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::folder::Folder;
use crate::port;
use crate::redis::ask;
use crate::server::Server;
use crate::wait::until;

/// Half of them are masters.
const NODES: usize = 6;

/// How long a node may take to say who is a master, before another one is asked.
const SOON: Duration = Duration::from_secs(3);

/// A running cluster.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Node>,
    /// Removed last.
    folder: Folder,
}

#[derive(Debug)]
struct Node {
    port: u16,
    bus: u16,
    process: Option<Server>,
}

impl RedisCluster {
    /// Starts the nodes, makes them a cluster, and waits until all of them agree and each master has its replica.
    ///
    /// # Errors
    ///
    /// If a node does not start, or they do not agree.
    pub async fn start() -> anyhow::Result<Self> {
        let nodes = (0..NODES).map(|_| Ok(Node { port: port::free()?, bus: port::free()?, process: None }));
        let nodes = nodes.collect::<anyhow::Result<_>>()?;
        let mut cluster = Self { nodes, folder: Folder::new()? };
        for number in 0..NODES {
            cluster.start_node(number).await?;
        }
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(cluster.hosts());
        create.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let created = create.output().await.context("cannot start redis-cli")?;
        ensure!(created.status.success(), "{}", String::from_utf8_lossy(&created.stdout));
        cluster.settled().await?;
        Ok(cluster)
    }

    /// The URL of all nodes.
    pub fn url(&self) -> String {
        format!("redis+cluster://{}", self.hosts().collect::<Vec<_>>().join(","))
    }

    /// The port of each node. The first half are masters at the start.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.nodes.iter().map(|node| node.port)
    }

    /// The ports of those that are masters at the start.
    pub fn masters(&self) -> impl Iterator<Item = u16> {
        self.ports().take(NODES / 2)
    }

    /// Asks the master that has the key of a command.
    ///
    /// # Errors
    ///
    /// As [`ask`].
    pub async fn ask(&self, command: &[&str]) -> anyhow::Result<String> {
        let first = self.ports().next().context("there is no node")?;
        ask(first, &[&["-c"], command].concat()).await
    }

    /// The number of the node that is the master of a slot, as a node says that lives and answers soon.
    ///
    /// # Errors
    ///
    /// If none says so.
    pub async fn master(&self, slot: u16) -> anyhow::Result<usize> {
        for node in self.nodes.iter().filter(|node| node.process.is_some()) {
            let Ok(nodes) = timeout(SOON, ask(node.port, &["CLUSTER", "NODES"])).await else { continue };
            let nodes = nodes?;
            let port = nodes.lines().find(|line| is_master_of(line, slot)).and_then(port_of);
            if let Some(found) = port.and_then(|port| self.ports().position(|known| known == port)) {
                return Ok(found);
            }
        }
        bail!("slot {slot} has no master")
    }

    /// The number of the replica of a master, if it has one that lives.
    ///
    /// # Errors
    ///
    /// If `redis-cli` cannot be started.
    pub async fn replica(&self, master: usize) -> anyhow::Result<Option<usize>> {
        let port = self.ports().nth(master).context("no such node")?;
        let id = ask(port, &["CLUSTER", "MYID"]).await?;
        let replicas = ask(port, &["CLUSTER", "REPLICAS", id.trim()]).await?;
        let replica = replicas.lines().find(|line| !line.contains("fail")).and_then(port_of);
        Ok(replica.and_then(|port| self.ports().position(|known| known == port)))
    }

    /// Waits until all nodes live, agree, and each is a master or has all of its master's data.
    ///
    /// # Errors
    ///
    /// If that takes too long.
    pub async fn settled(&self) -> anyhow::Result<()> {
        for (number, port) in self.ports().enumerate() {
            until("the nodes agree and are replicated", &self.log(number), async || {
                let info = ask(port, &["CLUSTER", "INFO"]).await.unwrap_or_default();
                let nodes = ask(port, &["CLUSTER", "NODES"]).await.unwrap_or_default();
                let replication = ask(port, &["INFO", "replication"]).await.unwrap_or_default();
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{NODES}"))
                    && !nodes.contains("fail")
                    && (replication.contains("state=online") || replication.contains("master_link_status:up"))
            })
            .await?;
        }
        Ok(())
    }

    /// Moves a slot to another master, with its keys (Redis manual, "CLUSTER SETSLOT").
    ///
    /// # Errors
    ///
    /// If a node refuses that.
    pub async fn move_slot(&self, slot: u16, to: usize) -> anyhow::Result<()> {
        let from = self.master(slot).await?;
        let port = |node: usize| self.ports().nth(node).context("no such node");
        let (from, to) = (port(from)?, port(to)?);
        let slot = slot.to_string();
        let from_id = ask(from, &["CLUSTER", "MYID"]).await?;
        let to_id = ask(to, &["CLUSTER", "MYID"]).await?;
        done(&ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", from_id.trim()]).await?)?;
        done(&ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", to_id.trim()]).await?)?;
        loop {
            let keys = ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).await?;
            let keys: Vec<_> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            let target = to.to_string();
            let command = ["MIGRATE", "127.0.0.1", &target, "", "0", "5000", "KEYS"];
            done(&ask(from, &[&command[..], &keys].concat()).await?)?;
        }
        for node in [to, from] {
            done(&ask(node, &["CLUSTER", "SETSLOT", &slot, "NODE", to_id.trim()]).await?)?;
        }
        Ok(())
    }

    /// Sends a node a signal by its name.
    pub fn signal(&self, node: usize, name: &str) {
        if let Some(process) = self.nodes.get(node).and_then(|node| node.process.as_ref()) {
            process.signal(name);
        }
    }

    /// Kills a node with SIGKILL.
    pub fn kill(&mut self, node: usize) {
        if let Some(process) = self.nodes.get_mut(node).and_then(|node| node.process.take()) {
            process.kill();
        }
    }

    /// Starts a node on its data.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn start_node(&mut self, number: usize) -> anyhow::Result<()> {
        let (log, folder) = (self.log(number), self.folder.path().join(format!("node{number}")));
        std::fs::create_dir_all(&folder)?;
        let node = self.nodes.get_mut(number).context("no such node")?;
        let (port, bus) = (node.port.to_string(), node.bus.to_string());
        let folder = folder.display().to_string();
        // It is the cluster that is tested, not the disk.
        let settings = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--cluster-port",
            &bus,
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            "1000",
            // A lost master stops nothing of the others.
            "--cluster-require-full-coverage",
            "no",
            "--dir",
            &folder,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let settings: Vec<_> = settings.map(str::to_owned).into();
        let port = node.port;
        node.process = Some(Server::start("redis-server", &settings, &[], &log)?);
        until("the node answers", &log, async || {
            ask(port, &["PING"]).await.is_ok_and(|pong| pong == "PONG\n")
        })
        .await
    }

    fn hosts(&self) -> impl Iterator<Item = String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port))
    }

    fn log(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("node{node}.log"))
    }
}

/// Whether a line of the answer to `CLUSTER NODES` is that of a living master with this slot.
fn is_master_of(line: &str, slot: u16) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    let flags = words.get(2).copied().unwrap_or_default();
    let has = |range: &&str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = (first.parse::<u16>(), last.parse::<u16>());
        matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&slot))
    };
    flags.split(',').any(|flag| flag == "master") && !flags.contains("fail") && words.iter().skip(8).any(has)
}

/// The port in such a line: `id host:port@bus …`.
fn port_of(line: &str) -> Option<u16> {
    let address = line.split(' ').nth(1)?.split('@').next()?;
    address.rsplit_once(':')?.1.parse().ok()
}

fn done(answer: &str) -> anyhow::Result<()> {
    ensure!(matches!(answer.trim(), "OK" | "NOKEY"), "{answer}");
    Ok(())
}
