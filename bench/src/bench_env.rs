//! The environment of all peers: a temporary folder, Redis, and MariaDB with the application's tables.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use chatpush_stack::daemon::Daemon;
use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb::{self, MariaDb};
use chatpush_stack::redis::{self, Redis};
use chatpush_stack::{artifacts, wait};
use tokio::runtime::Runtime;

use crate::cache::Cache;

/// The name of the database, and the prefix of the daemon's Redis keys.
pub const NAME: &str = "bench";
/// The key that signs all tokens, and the peers' API key.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Number of users in the application's `user` table.
pub const USERS: u32 = 65_536;

/// The servers and the folder of this run. Dropping it stops and removes them.
#[derive(Debug)]
pub struct BenchEnv {
    mariadb: MariaDb,
    redis: Redis,
    /// The folder of installed peers.
    pub cache: Cache,
    runtime: Runtime,
    folder_count: Cell<u32>,
    folder: Folder,
}

impl BenchEnv {
    /// Starts Redis, with `appendfsync` as its setting of that name, and MariaDB; creates the tables and the
    /// users.
    pub fn start(cache: Cache, appendfsync: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = Folder::new()?;
        let folder = guard.path();
        let (redis, mariadb) = runtime.block_on(async {
            let redis = Redis::start_with(folder, &["--appendfsync", appendfsync]).await?;
            MariaDb::install(folder).await?;
            let mariadb = MariaDb::start_with(folder, MARIADB).await?;
            mariadb::create_database(folder, NAME).await?;
            anyhow::Ok((redis, mariadb))
        })?;
        let env = Self { mariadb, redis, cache, runtime, folder_count: Cell::new(0), folder: guard };
        let migrated =
            env.block_on(Daemon::command(env.folder(), &env.daemon_environment(), &["migrate"]))?;
        ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        env.sql(&format!(
            "INSERT INTO `user` (id, username, password) \
             SELECT seq, CONCAT('u', seq), '' FROM seq_1_to_{USERS}; \
             SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'"
        ))?;
        Ok(env)
    }

    /// The folder for data and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates an empty folder in it.
    pub fn new_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.folder_count.set(self.folder_count.get() + 1);
        let folder = self.folder().join(format!("{name}-{}", self.folder_count.get()));
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Runs a future to completion.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits until a server listens on a port of 127.0.0.1.
    pub fn wait_until_listening(&self, what: &str, port: u16, log: &Path) -> anyhow::Result<()> {
        let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        self.block_on(wait::until(what, log, listens))
    }

    /// Runs SQL statements in the application's database and returns their output.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        self.block_on(mariadb::sql(self.folder(), &format!("USE {NAME}; {statements}")))
    }

    /// A counter of MariaDB's `SHOW GLOBAL STATUS`.
    pub fn mariadb_status(&self, counter: &str) -> anyhow::Result<f64> {
        let text = self.sql(&format!("SHOW GLOBAL STATUS LIKE '{counter}'"))?;
        let value = text.split_whitespace().last().and_then(|value| value.parse().ok());
        value.ok_or_else(|| anyhow::anyhow!("MariaDB has no counter {counter}"))
    }

    /// How many read-write transactions MariaDB has committed.
    pub fn mariadb_commits(&self) -> anyhow::Result<f64> {
        let text =
            self.sql("SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rw_commits'")?;
        Ok(text.trim().parse()?)
    }

    /// Deletes all messages and resets the counters, so that each peer starts with the same data. No daemon
    /// may run.
    pub fn clear_messages(&self) -> anyhow::Result<()> {
        self.sql(
            "TRUNCATE offline_message; TRUNCATE chatpush_message; \
             UPDATE `user` SET unread_count = 0 WHERE unread_count > 0",
        )
        .map(drop)
    }

    /// Redis's process id.
    pub fn redis_pid(&self) -> u32 {
        self.redis.pid()
    }

    /// MariaDB's process id.
    pub fn mariadb_pid(&self) -> u32 {
        self.mariadb.pid()
    }

    /// Redis's socket.
    pub fn redis_socket(&self) -> String {
        redis::socket(self.folder()).display().to_string()
    }

    /// Redis's address.
    pub fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// The environment variables that tell PHP how to reach Redis and MariaDB.
    pub fn php_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BENCH_REDIS_SOCKET", self.redis_socket()),
            ("BENCH_MYSQL_SOCKET", mariadb::socket(self.folder()).display().to_string()),
            ("BENCH_MYSQL_DATABASE", NAME.to_owned()),
            ("BENCH_MYSQL_USER", mariadb::USER.to_owned()),
            ("BENCH_MYSQL_PASSWORD", mariadb::PASSWORD.to_owned()),
        ]
    }

    /// The daemon's environment variables.
    pub fn daemon_environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CHATPUSH_REDIS_URL", self.redis_url()),
            ("CHATPUSH_MYSQL_URL", mariadb::url(&mariadb::socket(self.folder()), NAME)),
            ("CHATPUSH_SECRET", SECRET.to_owned()),
            ("CHATPUSH_PREFIX", NAME.to_owned()),
            ("CHATPUSH_LOG", "warn".to_owned()),
        ]
    }
}

/// MariaDB's default sizes; `stack` uses smaller ones for tests.
const MARIADB: &[&str] = &["--innodb-buffer-pool-size=128M", "--innodb-log-file-size=96M"];

/// The folder of this crate.
pub fn source_folder() -> PathBuf {
    artifacts::root().join("bench")
}
