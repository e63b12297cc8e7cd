//! A Redis and a MariaDB, shared by the tests or private to one that stops them.

use std::path::{Path, PathBuf};

use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb::{self, MariaDb};
use chatpush_stack::redis::{self, Redis};
use chatpush_stack::redis_cluster::RedisCluster;
use tokio::sync::{Mutex, OnceCell};

use crate::engine::portable;

/// The variable that has the shared Redis be a cluster, if it is `cluster`.
const REDIS: &str = "CHATPUSH_TEST_REDIS";

/// One Redis and one MariaDB.
#[derive(Debug)]
pub struct Servers {
    redis: Mutex<Option<Redis>>,
    /// Instead of that Redis.
    cluster: Option<RedisCluster>,
    mariadb: Mutex<Option<MariaDb>>,
    folder: Folder,
}

impl Servers {
    /// The shared servers, which the first test starts. Each test uses its own prefix and database.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Servers> = OnceCell::const_new();
        SHARED.get_or_init(Self::chosen).await
    }

    /// Those that [`REDIS`] chooses.
    async fn chosen() -> Self {
        let redis = std::env::var(REDIS).unwrap_or_default();
        assert!(["", "cluster"].contains(&&*redis), "{REDIS} is {redis:?} and not \"cluster\"");
        let mut servers = Self::without_redis().await;
        if redis == "cluster" {
            servers.cluster = Some(RedisCluster::start().await.expect("the cluster starts"));
        } else {
            servers.start_redis().await;
        }
        servers
    }

    /// Private servers, for a test that stops them.
    pub(crate) async fn own() -> Self {
        let servers = Self::without_redis().await;
        servers.start_redis().await;
        servers
    }

    async fn without_redis() -> Self {
        let folder = Folder::new().expect("a folder is created");
        MariaDb::install(folder.path()).await.expect("the data folder is created");
        let servers = Self { redis: None.into(), cluster: None, mariadb: None.into(), folder };
        servers.start_mariadb().await;
        servers
    }

    /// Starts Redis on its data, if there is any.
    pub async fn start_redis(&self) {
        self.start_redis_with(&[]).await;
    }

    /// Starts Redis on its data, with more arguments, which override the others.
    pub async fn start_redis_with(&self, more: &[&str]) {
        let redis = Redis::start_with(self.folder(), more).await.expect("Redis starts");
        *self.redis.lock().await = Some(redis);
    }

    /// Starts MariaDB on its data.
    pub async fn start_mariadb(&self) {
        self.start_mariadb_with(&[]).await;
    }

    /// Starts MariaDB on its data, with more arguments, which override the others.
    pub async fn start_mariadb_with(&self, more: &[&str]) {
        let mariadb = MariaDb::start_with(self.folder(), more).await.expect("MariaDB starts");
        *self.mariadb.lock().await = Some(mariadb);
    }

    /// Kills Redis with SIGKILL.
    pub async fn kill_redis(&self) {
        self.redis.lock().await.take().expect("Redis runs").kill();
    }

    /// Kills MariaDB with SIGKILL.
    pub async fn kill_mariadb(&self) {
        self.mariadb.lock().await.take().expect("MariaDB runs").kill();
    }

    /// Sends MariaDB a signal by its name.
    pub async fn signal_mariadb(&self, name: &str) {
        self.mariadb.lock().await.as_ref().expect("MariaDB runs").signal(name);
    }

    /// Runs statements as root.
    pub async fn sql(&self, statements: &str) -> String {
        mariadb::sql(self.folder(), &portable(statements)).await.expect("MariaDB executes the statements")
    }

    /// Ends the connections of an account.
    pub async fn end_connections_of(&self, account: &str) {
        let user = account.split('@').next().unwrap_or(account);
        let ids = format!("SELECT id FROM information_schema.processlist WHERE user = '{user}'");
        for id in self.sql(&ids).await.lines() {
            // It may have ended by itself.
            let _ = mariadb::sql(self.folder(), &format!("KILL CONNECTION {id}")).await;
        }
    }

    /// Creates the database of an installation.
    pub(crate) async fn create_database(&self, name: &str) {
        mariadb::create_database(self.folder(), name).await.expect("the database is created");
    }

    /// The URL of Redis.
    pub fn redis_url(&self) -> String {
        self.cluster.as_ref().map_or_else(|| redis::url(&redis::socket(self.folder())), RedisCluster::url)
    }

    /// The cluster, if Redis is one.
    pub(crate) fn cluster(&self) -> Option<&RedisCluster> {
        self.cluster.as_ref()
    }

    /// The URL of a database.
    pub fn mysql_url(&self, database: &str) -> String {
        mariadb::url(&self.mysql_socket(), database)
    }

    /// The socket of MariaDB.
    pub fn mysql_socket(&self) -> PathBuf {
        mariadb::socket(self.folder())
    }

    /// The folder for logs and scripts.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
