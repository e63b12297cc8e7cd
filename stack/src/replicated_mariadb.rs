//! A private MariaDB or MySQL primary and its replica, which can change their roles.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::engine::Engine;
use crate::folder::Folder;
use crate::mariadb::{self, MariaDb};
use crate::port;
use crate::wait::until;

/// A primary and a replica.
#[derive(Debug)]
pub struct ReplicatedMariaDb {
    servers: [Member; 2],
    primary: usize,
    engine: Engine,
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
        let mut pair = Self { servers, primary: 0, engine: Engine::chosen()? };
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
        let executed = if self.engine.is_mysql() { "@@gtid_executed" } else { "@@gtid_binlog_pos" };
        let position = mariadb::sql(self.primary_folder(), &format!("SELECT {executed}")).await?;
        // The client writes a line break in a value as two characters.
        let position = position.trim().replace("\\n", "");
        // MariaDB manual, "MASTER_GTID_WAIT", and MySQL manual, "WAIT_FOR_EXECUTED_GTID_SET": 0 when it has got
        // there.
        let wait = if self.engine.is_mysql() { "WAIT_FOR_EXECUTED_GTID_SET" } else { "MASTER_GTID_WAIT" };
        let waited = mariadb::sql(self.replica_folder(), &format!("SELECT {wait}('{position}', 30)")).await?;
        ensure!(waited.trim() == "0", "the replica does not get to {position}: {waited}");
        self.become_primary().await
    }

    /// From now on the primary answers a commit once the replica has it, too (MariaDB manual, "Semisynchronous
    /// Replication").
    ///
    /// # Errors
    ///
    /// If one does not answer, or the replica does not join.
    pub async fn wait_for_replica(&self) -> anyhow::Result<()> {
        let primary = "SET GLOBAL rpl_semi_sync_master_timeout = 60000, \
                       rpl_semi_sync_master_wait_point = 'AFTER_SYNC', rpl_semi_sync_master_enabled = 1";
        mariadb::sql(self.primary_folder(), primary).await?;
        let replica =
            "SET GLOBAL rpl_semi_sync_slave_enabled = 1; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD";
        mariadb::sql(self.replica_folder(), replica).await?;
        let clients = "SELECT variable_value FROM information_schema.global_status \
                       WHERE variable_name = 'Rpl_semi_sync_master_clients'";
        let log = self.primary_folder().join("mariadb.log");
        until("the replica acknowledges", &log, async || {
            mariadb::sql(self.primary_folder(), clients).await.is_ok_and(|clients| clients.trim() == "1")
        })
        .await
    }

    /// The replica takes nothing from the primary any more.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn cut_replica_off(&self) -> anyhow::Result<()> {
        mariadb::sql(self.replica_folder(), "STOP SLAVE IO_THREAD").await.map(drop)
    }

    /// Makes the replica the primary after [`ReplicatedMariaDb::kill_primary`], once it has applied what it has
    /// received.
    ///
    /// # Errors
    ///
    /// If it does not answer, or does not apply it.
    pub async fn promote_survivor(&mut self) -> anyhow::Result<()> {
        self.cut_replica_off().await?;
        let replica = self.replica_folder();
        until("the replica has applied what it has received", &replica.join("mariadb.log"), async || {
            let status = mariadb::sql(replica, "SHOW SLAVE STATUS\\G").await.unwrap_or_default();
            let value = |name: &str| {
                let lines = status.lines().filter_map(|line| line.trim().split_once(": "));
                lines.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next()
            };
            value("Read_Master_Log_Pos") == value("Exec_Master_Log_Pos")
                && value("Master_Log_File") == value("Relay_Master_Log_File")
        })
        .await?;
        self.become_primary().await
    }

    /// Makes the other server a replica of the primary.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn follow(&self) -> anyhow::Result<()> {
        let with = if self.engine.is_mysql() {
            // The password is encrypted with the key of the primary.
            "MASTER_AUTO_POSITION = 1, GET_MASTER_PUBLIC_KEY = 1"
        } else {
            // Newer ones want TLS with a known certificate.
            "MASTER_USE_GTID = current_pos, MASTER_SSL = 0, MASTER_SSL_VERIFY_SERVER_CERT = 0"
        };
        let follow = format!(
            "SET GLOBAL read_only = 1; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, \
             MASTER_USER = '{REPLICATION_USER}', MASTER_PASSWORD = '{REPLICATION_USER}', \
             MASTER_CONNECT_RETRY = 1, {with}; START SLAVE",
            self.servers[self.primary].port
        );
        mariadb::sql(self.replica_folder(), &follow).await.map(drop)
    }

    async fn become_primary(&mut self) -> anyhow::Result<()> {
        let promote = "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0";
        mariadb::sql(self.replica_folder(), promote).await?;
        self.primary = 1 - self.primary;
        Ok(())
    }

    async fn start_server(&mut self, number: usize) -> anyhow::Result<()> {
        let server = &mut self.servers[number];
        let mut arguments = vec![
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
        if self.engine.is_mysql() {
            arguments.extend(["--gtid-mode=ON".to_owned(), "--enforce-gtid-consistency=ON".to_owned()]);
        }
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
