//! One installation of chatpush: a prefix, a database, and what belongs to them.

use std::sync::Arc;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};

use crate::daemon::Daemon;
use crate::php::Php;
use crate::servers::Servers;

/// The key of every token in the tests.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An installation of its own for one test.
#[derive(Clone, Debug)]
pub struct TestEnv {
    servers: Arc<ServersRef>,
    name: String,
    settings: Vec<(&'static str, String)>,
}

#[derive(Debug)]
enum ServersRef {
    Shared(&'static Servers),
    Own(Box<Servers>),
}

impl TestEnv {
    /// An installation with migrated tables on the shared servers.
    pub async fn new() -> Self {
        Self::bare().await.migrated().await
    }

    /// An installation with migrated tables on servers that the test may stop.
    pub async fn with_own_servers() -> Self {
        Self::empty(ServersRef::Own(Box::new(Servers::own().await))).await.migrated().await
    }

    /// An installation with an empty database.
    pub async fn bare() -> Self {
        Self::empty(ServersRef::Shared(Servers::shared().await)).await
    }

    async fn empty(servers: ServersRef) -> Self {
        let name = format!("it_{:012x}", fastrand::u64(..0x0001_0000_0000_0000));
        let env = Self { servers: Arc::new(servers), name, settings: Vec::new() };
        env.servers().create_database(&env.name).await;
        env
    }

    async fn migrated(self) -> Self {
        let output = Daemon::command(&self, &["migrate"]).await;
        assert!(output.status.success(), "{output:?}");
        self
    }

    /// The same installation, its daemons started with one more setting.
    #[must_use]
    pub fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((variable, value.into()));
        self
    }

    /// The servers it runs on.
    pub fn servers(&self) -> &Servers {
        match &*self.servers {
            ServersRef::Shared(servers) => servers,
            ServersRef::Own(servers) => servers,
        }
    }

    /// Its name: the prefix in Redis and the database in MySQL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The environment of its daemons.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("CHATPUSH_REDIS_URL", self.servers().redis_url()),
            ("CHATPUSH_MYSQL_URL", self.servers().mysql_url(&self.name)),
            ("CHATPUSH_SECRET", SECRET.to_owned()),
            ("CHATPUSH_PREFIX", self.name.clone()),
        ];
        environment.extend(self.settings.iter().cloned());
        environment
    }

    /// A daemon that is ready.
    pub async fn daemon(&self) -> Daemon {
        Daemon::start(self).await
    }

    /// PHP with the extension and its settings.
    pub fn php(&self) -> Php {
        Php::new(self)
    }

    /// Makes users with these ids and no unread messages.
    pub async fn users(&self, ids: &[u32]) {
        for id in ids {
            let sql = format!("INSERT INTO `user` (id, username, password) VALUES ({id}, 'user{id}', '')");
            self.execute(&sql).await;
        }
    }

    /// A connection as the application would open it.
    pub async fn mysql(&self) -> Conn {
        let opts = Opts::from_url(&self.servers().mysql_url(&self.name)).expect("the address is right");
        Conn::new(opts).await.expect("MariaDB answers")
    }

    /// Runs one statement as the application.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.mysql().await;
        connection.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.disconnect().await.expect("MariaDB says goodbye");
    }

    /// Reads rows as the application.
    pub async fn query<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        let mut connection = self.mysql().await;
        let rows = connection.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.disconnect().await.expect("MariaDB says goodbye");
        rows
    }

    /// The contents stored for a user, oldest first.
    pub async fn stored(&self, receiver: u32) -> Vec<String> {
        self.query(&format!("SELECT content FROM offline_message WHERE receiver_id = {receiver} ORDER BY id"))
            .await
    }

    /// How many rows are stored for a user.
    pub async fn stored_count(&self, receiver: u32) -> u64 {
        self.query(&format!("SELECT COUNT(*) FROM offline_message WHERE receiver_id = {receiver}")).await[0]
    }

    /// A user's unread counter.
    pub async fn unread(&self, user: u32) -> i64 {
        self.query(&format!("SELECT unread_count FROM `user` WHERE id = {user}")).await[0]
    }

    /// How many entries wait in the log of a user's partition.
    pub async fn log_length(&self, user: u32) -> u64 {
        self.redis(&["XLEN", &format!("{}:{{{}}}:log", self.name, user % 16)]).await
    }

    /// Asks Redis something.
    pub async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.servers().redis_url()).expect("the address is right");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let mut built = redis::cmd(command[0]);
        built.arg(&command[1..]);
        built.query_async(&mut connection).await.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}
