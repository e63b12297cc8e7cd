//! Private Sentinels that watch a master and its replicas.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::folder::Folder;
use crate::port;
use crate::redis::ask;
use crate::server::Server;
use crate::wait::until;

/// The name of the master.
pub const MASTER: &str = "chatpush";

/// How many there are. Most of them must agree.
const SENTINELS: usize = 3;

/// Three Sentinels, which replace a master that is down by one of its replicas.
#[derive(Debug)]
pub struct Sentinels {
    processes: Vec<(Server, u16)>,
    /// Removed last.
    folder: Folder,
}

impl Sentinels {
    /// Starts them for the master on this port, and waits until they know each other and so many replicas.
    ///
    /// # Errors
    ///
    /// If one of them does not start.
    pub async fn start(master: u16, replicas: usize) -> anyhow::Result<Self> {
        let mut sentinels = Self { processes: Vec::new(), folder: Folder::new()? };
        for number in 0..SENTINELS {
            let started = sentinels.launch(number, master)?;
            sentinels.processes.push(started);
        }
        let known = [("num-other-sentinels", SENTINELS - 1), ("num-slaves", replicas)];
        for (number, port) in sentinels.ports().enumerate() {
            until("the Sentinels know each other and the replicas", &sentinels.log(number), async || {
                let told = ask(port, &["SENTINEL", "MASTER", MASTER]).await.unwrap_or_default();
                known.iter().all(|(name, count)| told.contains(&format!("{name}\n{count}\n")))
            })
            .await?;
        }
        Ok(sentinels)
    }

    /// The URL by which clients find the master.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.ports().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// The port of the server that they name as the master.
    ///
    /// # Errors
    ///
    /// If the first Sentinel does not answer.
    pub async fn master(&self) -> anyhow::Result<u16> {
        let port = self.ports().next().context("there is no Sentinel")?;
        let told = ask(port, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]).await?;
        told.lines().nth(1).and_then(|port| port.parse().ok()).with_context(|| format!("no master: {told}"))
    }

    /// The port of each Sentinel.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.processes.iter().map(|(_, port)| *port)
    }

    /// Sends one of the Sentinels a signal by its name.
    pub fn signal(&self, number: usize, name: &str) {
        if let Some((sentinel, _)) = self.processes.get(number) {
            sentinel.signal(name);
        }
    }

    fn launch(&self, number: usize, master: u16) -> anyhow::Result<(Server, u16)> {
        let port = port::free()?;
        let folder = self.folder.path().join(format!("sentinel{number}"));
        std::fs::create_dir(&folder)?;
        let mut settings = format!("port {port}\nbind 127.0.0.1\ndir {}\n", folder.display());
        writeln!(settings, "sentinel monitor {MASTER} 127.0.0.1 {master} {}", SENTINELS / 2 + 1)?;
        for (setting, value) in [("down-after-milliseconds", 1_000), ("failover-timeout", 5_000)] {
            writeln!(settings, "sentinel {setting} {MASTER} {value}")?;
        }
        // A Sentinel writes what it learns into this file.
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, settings)?;
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        Ok((Server::start("redis-server", &arguments, &[], &self.log(number))?, port))
    }

    fn log(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("sentinel{number}.log"))
    }
}
