//! A Redis and a MariaDB, shared by all tests or owned by one that stops or kills them.

use std::path::{Path, PathBuf};

use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb::{self, MariaDb};
use chatpush_stack::redis::{self, Redis};
use tokio::sync::{Mutex, OnceCell};

/// One Redis and one MariaDB.
#[derive(Debug)]
pub struct Servers {
    redis: Mutex<Option<Redis>>,
    mariadb: Mutex<Option<MariaDb>>,
    folder: Folder,
}

impl Servers {
    /// The servers that all tests share, started by the first that asks. Each test keeps to a prefix and a
    /// database of its own.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Servers> = OnceCell::const_new();
        SHARED.get_or_init(Self::own).await
    }

    /// Servers for one test that stops or kills them.
    pub async fn own() -> Self {
        let folder = Folder::new().expect("a folder can be made");
        MariaDb::install(folder.path()).await.expect("MariaDB's data folder can be made");
        let servers = Self { redis: None.into(), mariadb: None.into(), folder };
        servers.start_redis().await;
        servers.start_mariadb().await;
        servers
    }

    /// Starts Redis on what it had written before, or empty.
    pub async fn start_redis(&self) {
        let redis = Redis::start(self.folder()).await.expect("Redis starts");
        *self.redis.lock().await = Some(redis);
    }

    /// Starts MariaDB on what it had written before.
    pub async fn start_mariadb(&self) {
        let mariadb = MariaDb::start(self.folder()).await.expect("MariaDB starts");
        *self.mariadb.lock().await = Some(mariadb);
    }

    /// Kills Redis as a power cut would.
    pub async fn kill_redis(&self) {
        self.redis.lock().await.take().expect("Redis runs").kill();
    }

    /// Kills MariaDB as a power cut would.
    pub async fn kill_mariadb(&self) {
        self.mariadb.lock().await.take().expect("MariaDB runs").kill();
    }

    /// Runs statements as the administrator.
    pub async fn sql(&self, statements: &str) -> String {
        mariadb::sql(self.folder(), statements).await.expect("MariaDB takes the statements")
    }

    /// Makes a database for one installation.
    pub async fn create_database(&self, name: &str) {
        mariadb::create_database(self.folder(), name).await.expect("the database can be made");
    }

    /// The address of Redis.
    pub fn redis_url(&self) -> String {
        redis::url(&redis::socket(self.folder()))
    }

    /// The address of one database.
    pub fn mysql_url(&self, database: &str) -> String {
        mariadb::url(&self.mysql_socket(), database)
    }

    /// MariaDB's socket.
    pub fn mysql_socket(&self) -> PathBuf {
        mariadb::socket(self.folder())
    }

    /// Where logs and scripts go.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
