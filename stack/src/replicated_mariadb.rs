//! A private MariaDB primary and its replica, which can change their roles.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::folder::Folder;
use crate::mariadb::{self, MariaDb};
use crate::port;

/// A primary and a replica.
#[derive(Debug)]
pub struct ReplicatedMariaDb {
    servers: [Member; 2],
    primary: usize,
}

/// One of the two. Its MariaDB ends before its folder is removed.
#[derive(Debug)]
struct Member {
    mariadb: Option<MariaDb>,
    port: u16,
    folder: Folder,
}

impl ReplicatedMariaDb {
    /// Starts both, with empty databases.
    ///
    /// # Errors
    ///
    /// If a program is missing, or a server does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let servers = [Member::new().await?, Member::new().await?];
        let mut pair = Self { servers, primary: 0 };
        pair.start_server(0).await?;
        pair.start_server(1).await?;
        // Both have the accounts of a new data folder, which no replica needs to hear of.
        for folder in [pair.primary_folder(), pair.replica_folder()] {
            mariadb::sql(folder, "RESET MASTER").await?;
        }
        pair.follow().await?;
        Ok(pair)
    }

    /// Keeps the data of both when this is dropped, and returns their folders.
    pub fn keep(&mut self) -> Vec<&Path> {
        self.servers.iter_mut().map(|member| member.folder.keep()).collect()
    }

    /// The folder of the primary, with its socket.
    pub fn primary_folder(&self) -> &Path {
        self.servers[self.primary].folder.path()
    }

    /// The folder of the other server.
    pub fn replica_folder(&self) -> &Path {
        self.servers[1 - self.primary].folder.path()
    }

    /// The socket of the primary.
    pub fn primary_socket(&self) -> PathBuf {
        mariadb::socket(self.primary_folder())
    }

    /// Kills the primary with SIGKILL.
    pub fn kill_primary(&mut self) {
        if let Some(mariadb) = self.servers[self.primary].mariadb.take() {
            mariadb.kill();
        }
    }

    /// Starts the primary again.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub async fn start_primary(&mut self) -> anyhow::Result<()> {
        self.start_server(self.primary).await
    }

    /// Makes the primary refuse writes. Its connections stay open.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn demote(&self) -> anyhow::Result<()> {
        mariadb::sql(self.primary_folder(), "SET GLOBAL read_only = 1").await.map(drop)
    }

    /// Makes the replica the primary, once it has everything that the demoted one has committed. The old one
    /// lives on and does not follow, until [`ReplicatedMariaDb::follow`].
    ///
    /// # Errors
    ///
    /// If one does not answer, or the replica does not catch up.
    pub async fn promote(&mut self) -> anyhow::Result<()> {
        let position = mariadb::sql(self.primary_folder(), "SELECT @@gtid_binlog_pos").await?;
        let position = position.trim();
        // MariaDB manual, "MASTER_GTID_WAIT": 0 when it has got there, -1 after the timeout.
        let wait = format!("SELECT MASTER_GTID_WAIT('{position}', 30)");
        let waited = mariadb::sql(self.replica_folder(), &wait).await?;
        ensure!(waited.trim() == "0", "the replica does not get to {position}: {waited}");
        let promote = "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0";
        mariadb::sql(self.replica_folder(), promote).await?;
        self.primary = 1 - self.primary;
        Ok(())
    }

    /// Makes the other server a replica of the primary.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn follow(&self) -> anyhow::Result<()> {
        let follow = format!(
            "SET GLOBAL read_only = 1; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, \
             MASTER_USER = '{REPLICATION_USER}', MASTER_PASSWORD = '{REPLICATION_USER}', \
             MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = current_pos; START SLAVE",
            self.servers[self.primary].port
        );
        mariadb::sql(self.replica_folder(), &follow).await.map(drop)
    }

    async fn start_server(&mut self, number: usize) -> anyhow::Result<()> {
        let server = &mut self.servers[number];
        let arguments = [
            "--skip-networking=0".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", server.port),
            format!("--server-id={}", number + 1),
            "--log-bin=binlog".to_owned(),
            "--log-slave-updates=1".to_owned(),
            // After a crash, a replica must not have more than its primary.
            "--sync-binlog=1".to_owned(),
            "--slave-net-timeout=5".to_owned(),
        ];
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let folder = server.folder.path();
        server.mariadb = Some(MariaDb::start_with(folder, &arguments).await?);
        let account = format!(
            "SET SESSION sql_log_bin = 0; \
             CREATE USER IF NOT EXISTS {REPLICATION_USER}@'127.0.0.1' IDENTIFIED BY '{REPLICATION_USER}'; \
             GRANT REPLICATION SLAVE ON *.* TO {REPLICATION_USER}@'127.0.0.1'"
        );
        mariadb::sql(folder, &account).await.context("cannot create the replication account").map(drop)
    }
}

const REPLICATION_USER: &str = "replication";

impl Member {
    async fn new() -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        MariaDb::install(folder.path()).await?;
        Ok(Self { mariadb: None, port: port::free()?, folder })
    }
}
