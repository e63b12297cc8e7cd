//! Redis, the database and the daemons, each of which can be killed and started again, and the proxies
//! between them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chatpush_stack::daemon::Daemon;
use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb;
use chatpush_stack::proxy::Proxy;
use chatpush_stack::redis;
use tokio::time::sleep;

use crate::database::{Database, FOREIGN_KEY, POISON_TRIGGER};
use crate::redis_pair::RedisPair;

/// The name of the database, and the prefix in Redis.
pub(crate) const NAME: &str = "chaos";
/// A user's id and this is the id of another user of the same partition, who never connects.
pub(crate) const OFFLINE: u32 = 6_400;
/// The secret that signs tokens.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The port of each daemon, `None` while it is down.
pub(crate) type Ports = Arc<Mutex<Vec<Option<u16>>>>;

/// All running parts.
#[derive(Debug)]
pub(crate) struct Cluster {
    daemons: Vec<Option<Daemon>>,
    redis: RedisPair,
    /// MariaDB, as one of several kinds of installation.
    pub(crate) database: Database,
    /// From PHP to Redis, then from each daemon to Redis and to MySQL.
    pub(crate) proxies: Vec<Proxy>,
    /// The ports of the daemons.
    pub(crate) ports: Ports,
    fault_injection: Option<String>,
    folder: Folder,
}

impl Cluster {
    /// Starts Redis, with a replica if there are to be failovers, the database with `users` users, and
    /// `daemons` daemons.
    pub(crate) async fn start(
        daemons: usize,
        users: u32,
        redis_replica: bool,
        fault_injection: Option<String>,
        galera: bool,
    ) -> anyhow::Result<Self> {
        let temporary = Folder::new()?;
        let folder = temporary.path();
        let redis = RedisPair::start(folder, redis_replica).await?;
        let database = Database::start(galera).await?;
        mariadb::create_database(database.folder(), NAME).await?;
        let mut proxies = vec![Proxy::start(&link(folder, "php", "redis"), redis::socket(folder))?];
        for number in 0..daemons {
            let daemon = format!("daemon{number}");
            proxies.push(Proxy::start(&link(folder, &daemon, "redis"), redis::socket(folder))?);
            proxies.push(Proxy::start(&link(folder, &daemon, "mysql"), database.socket())?);
        }
        let mut cluster = Self {
            daemons: (0..daemons).map(|_| None).collect(),
            redis,
            database,
            proxies,
            ports: Arc::new(Mutex::new(vec![None; daemons])),
            fault_injection,
            folder: temporary,
        };
        let migrated = Daemon::command(cluster.folder(), &cluster.environment(0), &["migrate"]).await?;
        ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let insert = format!(
            "USE {NAME}; INSERT INTO `user` (id, username, password) SELECT seq, CONCAT('u', seq), '' \
             FROM seq_1_to_{users}; \
             INSERT INTO `user` (id, username, password) SELECT id + {OFFLINE}, CONCAT('o', id), '' FROM `user`; \
             {POISON_TRIGGER}; {}",
            if galera { FOREIGN_KEY } else { "" }
        );
        mariadb::sql(cluster.database.folder(), &insert).await?;
        for number in 0..daemons {
            cluster.start_daemon(number)?;
        }
        Ok(cluster)
    }

    /// The folder with data and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder when this is dropped.
    pub(crate) fn keep(&mut self) {
        self.folder.keep();
    }

    /// The URL of Redis for PHP, through the proxy.
    pub(crate) fn php_redis_url(&self) -> String {
        redis::url(&link(self.folder(), "php", "redis"))
    }

    /// The URL of the master of Redis itself.
    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// The proxies that lead to Redis.
    pub(crate) fn redis_proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies
            .iter()
            .enumerate()
            .filter(|(number, _)| *number == 0 || number % 2 == 1)
            .map(|(_, proxy)| proxy)
    }

    /// The number of daemons, running or not.
    pub(crate) fn daemons(&self) -> usize {
        self.daemons.len()
    }

    /// Returns a daemon if it runs.
    pub(crate) fn daemon(&self, number: usize) -> Option<&Daemon> {
        self.daemons.get(number)?.as_ref()
    }

    /// Starts a daemon that is down.
    pub(crate) fn start_daemon(&mut self, number: usize) -> anyhow::Result<()> {
        let daemon = Daemon::launch(self.folder(), &self.environment(number))?;
        self.announce(number, Some(daemon.port()));
        self.daemons[number] = Some(daemon);
        Ok(())
    }

    /// Removes a daemon from the cluster, so that the caller can kill or stop it.
    pub(crate) fn take_daemon(&mut self, number: usize) -> Option<Daemon> {
        self.announce(number, None);
        self.daemons[number].take()
    }

    /// Kills the master of Redis with SIGKILL.
    pub(crate) fn kill_redis(&mut self) {
        self.redis.kill();
    }

    /// Kills the master of Redis, which loses what it has written in the last `time`, as in a crash of its
    /// machine with `appendfsync everysec`.
    pub(crate) async fn lose_redis_tail(&mut self, time: Duration) -> anyhow::Result<()> {
        let written = self.redis.written();
        sleep(time).await;
        self.redis.kill();
        // After a rewrite the older file is of no use.
        let (Some((file, length)), Some((same, _))) = (written, self.redis.written()) else { return Ok(()) };
        if file == same {
            std::fs::OpenOptions::new().write(true).open(file)?.set_len(length)?;
        }
        Ok(())
    }

    /// Starts the master of Redis on its data.
    pub(crate) async fn start_redis(&mut self) -> anyhow::Result<()> {
        self.redis.restart().await
    }

    /// Swaps master and replica of Redis. Open connections stay with the old master; new ones lead to the new
    /// one after `pause`.
    pub(crate) async fn fail_over_redis(&mut self, pause: Duration) -> anyhow::Result<()> {
        self.redis.fail_over().await?;
        sleep(pause).await;
        for proxy in self.redis_proxies() {
            proxy.lead_to(self.redis.socket());
        }
        Ok(())
    }

    /// Sets the memory limit of the master of Redis, in bytes. 0: none.
    pub(crate) async fn limit_redis_memory(&self, bytes: u64) -> anyhow::Result<()> {
        self.redis.configure("maxmemory", &bytes.to_string()).await
    }

    /// The proxies between the daemons and MySQL.
    pub(crate) fn mysql_proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies.iter().skip(2).step_by(2)
    }

    /// Returns the rows of a query as lists of columns.
    pub(crate) async fn query(&self, select: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let text = mariadb::sql(self.database.folder(), &format!("USE {NAME}; {select}")).await?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Returns the only value of a query.
    pub(crate) async fn number(&self, select: &str) -> anyhow::Result<u64> {
        let rows = self.query(select).await?;
        let number = rows.first().and_then(|row| row.first()).context("no row")?;
        Ok(number.parse()?)
    }

    fn announce(&self, number: usize, port: Option<u16>) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)[number] = port;
    }

    fn environment(&self, number: usize) -> Vec<(&'static str, String)> {
        let daemon = format!("daemon{number}");
        let link = |to| link(self.folder(), &daemon, to);
        let mut environment = vec![
            ("CHATPUSH_REDIS_URL", redis::url(&link("redis"))),
            ("CHATPUSH_MYSQL_URL", mariadb::url(&link("mysql"), NAME)),
            ("CHATPUSH_SECRET", SECRET.to_owned()),
            ("CHATPUSH_PREFIX", NAME.to_owned()),
        ];
        if let Some(fault_injection) = &self.fault_injection {
            environment.push(("CHATPUSH_FAULT_INJECTION", fault_injection.clone()));
        }
        environment
    }
}

fn link(folder: &Path, from: &str, to: &str) -> PathBuf {
    folder.join(format!("{from}-{to}.link"))
}
