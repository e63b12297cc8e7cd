//! A master of Redis and, for planned failovers, a replica of it. They swap their roles.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chatpush_stack::port;
use chatpush_stack::redis::{self, Redis};
use chatpush_stack::sentinel::Sentinels;
use tokio::time::{Instant, sleep};

/// How long a failover may take, the wait for the replica included.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(60);

/// The servers; the first was the master at the start.
#[derive(Debug)]
pub(crate) struct RedisPair {
    nodes: Vec<Node>,
    /// The index of the master.
    master: usize,
    /// What clients ask for the master, if they do.
    sentinels: Option<Sentinels>,
}

#[derive(Debug)]
struct Node {
    folder: PathBuf,
    port: u16,
    process: Option<Redis>,
}

impl RedisPair {
    /// Starts the master in this folder and, if there are to be failovers, the replica in a folder within it.
    pub(crate) async fn start(folder: &Path, has_replica: bool) -> anyhow::Result<Self> {
        let node = |folder: PathBuf| Ok(Node { folder, port: port::free()?, process: None });
        let mut nodes: Vec<anyhow::Result<Node>> = vec![node(folder.to_owned())];
        if has_replica {
            let folder = folder.join("replica");
            std::fs::create_dir(&folder)?;
            nodes.push(node(folder));
        }
        let mut pair =
            Self { nodes: nodes.into_iter().collect::<Result<_, _>>()?, master: 0, sentinels: None };
        for number in 0..pair.nodes.len() {
            pair.start_node(number).await?;
        }
        Ok(pair)
    }

    /// Starts Sentinels for master and replica.
    pub(crate) async fn add_sentinels(&mut self) -> anyhow::Result<()> {
        self.sentinels = Some(Sentinels::start(self.nodes[self.master].port, self.nodes.len() - 1).await?);
        Ok(())
    }

    /// The URL of the Sentinels, if there are any.
    pub(crate) fn sentinels_url(&self) -> Option<String> {
        self.sentinels.as_ref().map(Sentinels::url)
    }

    /// The socket of the master.
    pub(crate) fn socket(&self) -> PathBuf {
        redis::socket(&self.nodes[self.master].folder)
    }

    /// The URL of the master.
    pub(crate) fn url(&self) -> String {
        redis::url(&self.socket())
    }

    /// Kills the master with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(redis) = self.nodes[self.master].process.take() {
            redis.kill();
        }
    }

    /// How long the file is that the master appends to, and which. `None` while there is none.
    pub(crate) fn written(&self) -> Option<(PathBuf, u64)> {
        let folder = std::fs::read_dir(self.nodes[self.master].folder.join("appendonlydir")).ok()?;
        let files = folder.filter_map(Result::ok).map(|file| file.path());
        // A rewrite begins another file, with a higher number.
        let file = files
            .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())?;
        let length = file.metadata().ok()?.len();
        Some((file, length))
    }

    /// Starts the master on its data.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        self.start_node(self.master).await
    }

    /// Makes the replica the master, and the master its replica, which keeps its connections. Nothing is
    /// lost: the master waits until the replica has everything (Redis manual, "FAILOVER").
    pub(crate) async fn fail_over(&mut self) -> anyhow::Result<()> {
        let standby = 1 - self.master;
        let deadline = Instant::now() + FAILOVER_TIMEOUT;
        loop {
            let info = self.info(self.master, "replication").await?;
            if info.contains("role:slave") {
                self.master = standby;
                return Ok(());
            }
            let is_ready =
                info.contains("master_failover_state:no-failover") && self.is_replicated(standby).await?;
            if is_ready {
                // It may be refused if the replica is just lost.
                let _ = self.command(self.master, redis_command(&["FAILOVER", "TIMEOUT", "5000"])).await;
            } else if Instant::now() > deadline {
                bail!("no failover within {FAILOVER_TIMEOUT:?}: {info}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills the master while the replica has not received what was written in the last `lag`, waits until the
    /// Sentinels have made that the master, and starts the old one as its replica.
    pub(crate) async fn replace_master(&mut self, lag: Duration) -> anyhow::Result<()> {
        let (old, standby) = (self.master, 1 - self.master);
        self.process(standby)?.signal("STOP");
        sleep(lag).await;
        self.kill();
        self.process(standby)?.signal("CONT");
        let sentinels = self.sentinels.as_ref().context("there are no Sentinels")?;
        let port = self.nodes[standby].port;
        let deadline = Instant::now() + FAILOVER_TIMEOUT;
        while sentinels.master().await? != port {
            ensure!(Instant::now() < deadline, "no other master within {FAILOVER_TIMEOUT:?}");
            sleep(Duration::from_millis(20)).await;
        }
        self.master = standby;
        self.start_node(old).await?;
        while !self.is_replicated(old).await? {
            ensure!(Instant::now() < deadline, "the old master is no replica within {FAILOVER_TIMEOUT:?}");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn process(&self, number: usize) -> anyhow::Result<&Redis> {
        self.nodes[number].process.as_ref().context("the server is down")
    }

    /// Whether the other server has everything of the master, and on its disk: a replica that was copied anew writes
    /// its file anew, and until that is done, a crash would lose data.
    async fn is_replicated(&self, standby: usize) -> anyhow::Result<bool> {
        let replication = self.info(self.master, "replication").await?;
        let persistence = self.info(standby, "persistence").await?;
        let is_durable = ["aof_enabled:1", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
        Ok(replication.contains("state=online") && is_durable.iter().all(|field| persistence.contains(field)))
    }

    async fn info(&self, number: usize, section: &str) -> anyhow::Result<String> {
        Ok(::redis::from_redis_value(self.command(number, redis_command(&["INFO", section])).await?)?)
    }

    async fn command(&self, number: usize, command: ::redis::Cmd) -> anyhow::Result<::redis::Value> {
        let client = ::redis::Client::open(redis::url(&redis::socket(&self.nodes[number].folder)))?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        Ok(command.query_async(&mut connection).await?)
    }

    async fn start_node(&mut self, number: usize) -> anyhow::Result<()> {
        let master_port = self.nodes[self.master].port.to_string();
        let is_replica = number != self.master;
        let node = self.nodes.get_mut(number).context("no such server")?;
        let port = node.port.to_string();
        let mut more = vec!["--port", &port, "--repl-diskless-sync-delay", "0"];
        if is_replica {
            more.extend(["--replicaof", "127.0.0.1", &master_port]);
        }
        node.process = Some(Redis::start_with(&node.folder, &more).await?);
        Ok(())
    }
}

fn redis_command(words: &[&str]) -> ::redis::Cmd {
    let mut command = ::redis::Cmd::new();
    command.arg(words);
    command
}
