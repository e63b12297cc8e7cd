//! An installation of chatpush: a prefix in Redis, a database, and settings.

use std::sync::Arc;

use chatpush_stack::redis_cluster::RedisCluster;
use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::installation::{ContentColumn, Installation};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use chatpush_wire::slot::slot;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Opts};
use redis::{AsyncConnectionConfig, FromRedisValue as _};

use crate::daemon::Daemon;
use crate::engine::portable;
use crate::eventually::TEST_TIMEOUT;
use crate::php::Php;
use crate::servers::Servers;

/// MySQL manual, "Server Error Message Reference": `ER_LOCK_DEADLOCK`.
const DEADLOCK: u16 = 1213;

/// The secret of all tests.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// An installation for one test.
#[derive(Clone, Debug)]
pub struct TestEnv {
    servers: Arc<ServersRef>,
    name: String,
    settings: Vec<(&'static str, String)>,
    /// Variables that are not in the environment.
    without: Vec<&'static str>,
}

#[derive(Debug)]
enum ServersRef {
    Shared(&'static Servers),
    Own(Box<Servers>),
}

impl TestEnv {
    /// An installation with the default tables, on the shared servers.
    pub async fn new() -> Self {
        Self::bare().await.set_up().await
    }

    /// An installation with the default tables for user ids of this type, on the shared servers.
    pub async fn with_user_ids(ids: UserIdType) -> Self {
        Self::bare().await.with("CHATPUSH_USER_ID_TYPE", ids.name()).set_up().await
    }

    /// An installation with the default tables, on servers that the test may stop.
    pub async fn with_own_servers() -> Self {
        Self::bare_with_own_servers().await.set_up().await
    }

    /// An installation with an empty database, on servers of its own.
    pub async fn bare_with_own_servers() -> Self {
        Self::on(ServersRef::Own(Box::new(Servers::own().await))).await
    }

    /// An installation with an empty database, on the shared servers.
    pub async fn bare() -> Self {
        Self::on(ServersRef::Shared(Servers::shared().await)).await
    }

    async fn on(servers: ServersRef) -> Self {
        let name = format!("it_{:012x}", fastrand::u64(..0x0001_0000_0000_0000));
        let env = Self { servers: Arc::new(servers), name, settings: Vec::new(), without: Vec::new() };
        env.servers().create_database(&env.name).await;
        env
    }

    /// Makes the tables, as if a daemon had run before. For an installation with an empty database.
    pub async fn set_up(self) -> Self {
        let output = Daemon::command(&self, &["migrate"]).await;
        assert!(output.status.success(), "{output:?}");
        self.record_installation().await;
        self
    }

    /// Records the installation in Redis and the first start in the database, as if a daemon had run before.
    async fn record_installation(&self) {
        let uuid: Vec<String> = self.query("SELECT uuid FROM chatpush_installation").await;
        self.execute(
            "INSERT INTO chatpush_adoption (table_name, decision, highest_id, decided_at) \
             VALUES ('offline_message', 'new', 0, NOW())",
        )
        .await;
        let record =
            Installation::of_database(uuid[0].clone(), self.user_id_type(), ContentColumn::default())
                .counting_conversations(
                    self.settings.contains(&("CHATPUSH_UNREAD_BY_CONVERSATION", "true".to_owned())),
                );
        let _: String = self.redis(&["SET", &self.prefix().installation(), &record.encode()]).await;
    }

    fn user_id_type(&self) -> UserIdType {
        let set = self.settings.iter().rfind(|(variable, _)| *variable == "CHATPUSH_USER_ID_TYPE");
        set.map_or_else(UserIdType::default, |(_, name)| name.parse().expect("a type of user ids"))
    }

    /// Adds a setting for daemons that start afterwards.
    #[must_use]
    pub fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((variable, value.into()));
        self
    }

    /// Takes a setting out of the environment, so that a file can have it.
    #[must_use]
    pub fn without(mut self, variable: &'static str) -> Self {
        self.without.push(variable);
        self
    }

    /// Its servers.
    pub fn servers(&self) -> &Servers {
        match &*self.servers {
            ServersRef::Shared(servers) => servers,
            ServersRef::Own(servers) => servers,
        }
    }

    /// Its name, which is the prefix in Redis and the name of the database.
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
        environment.retain(|(variable, _)| !self.without.contains(variable));
        environment
    }

    /// Starts a daemon and waits until it is ready.
    pub async fn daemon(&self) -> Daemon {
        Daemon::start(self).await
    }

    /// PHP with the extension and its settings.
    pub fn php(&self) -> Php {
        Php::new(self)
    }

    /// Inserts users with these ids.
    pub async fn users(&self, ids: &[u32]) {
        for id in ids {
            let sql = format!("INSERT INTO `user` (id, username, password) VALUES ({id}, 'user{id}', '')");
            self.execute(&sql).await;
        }
    }

    /// Opens a database connection, as the application does.
    pub async fn mysql(&self) -> Conn {
        let opts = Opts::from_url(&self.servers().mysql_url(&self.name)).expect("the URL is valid");
        Conn::new(opts).await.expect("MariaDB answers")
    }

    /// Executes one statement. If it meets a deadlock with a daemon, it is executed again, as an application would.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.mysql().await;
        let is_deadlock = |error: &mysql_async::Error| matches!(error, mysql_async::Error::Server(error) if error.code == DEADLOCK);
        let mut done = connection.query_drop(portable(sql)).await;
        for _ in 0..20 {
            if !done.as_ref().is_err_and(is_deadlock) {
                break;
            }
            done = connection.query_drop(portable(sql)).await;
        }
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.disconnect().await.expect("the connection closes");
    }

    /// Lets a trigger refuse messages whose row meets an SQL condition, with "not here" and this SQLSTATE.
    pub async fn refuse_rows(&self, condition: &str, state: &str) {
        let sql = format!(
            "CREATE TRIGGER guard BEFORE INSERT ON offline_message FOR EACH ROW \
             IF {condition} THEN SIGNAL SQLSTATE '{state}' SET MESSAGE_TEXT = 'not here'; END IF"
        );
        self.execute(&sql).await;
    }

    /// Returns the rows of a query.
    pub async fn query<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        let mut connection = self.mysql().await;
        let rows = connection.query(portable(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.disconnect().await.expect("the connection closes");
        rows
    }

    /// The contents stored for a user, oldest first.
    pub async fn stored(&self, receiver: u32) -> Vec<String> {
        self.query(&format!("SELECT content FROM offline_message WHERE receiver_id = {receiver} ORDER BY id"))
            .await
    }

    /// The number of rows stored for a user.
    pub async fn stored_count(&self, receiver: u32) -> u64 {
        self.query(&format!("SELECT COUNT(*) FROM offline_message WHERE receiver_id = {receiver}")).await[0]
    }

    /// A user's unread counter.
    pub async fn unread(&self, user: u32) -> i64 {
        self.query(&format!("SELECT unread_count FROM `user` WHERE id = {user}")).await[0]
    }

    /// The number of entries in the log of a user's partition that MySQL has not applied.
    pub async fn log_length(&self, user: u32) -> usize {
        let sql = format!("SELECT log_id FROM chatpush_position WHERE partition_id = {}", partition(user));
        let applied: Vec<String> = self.query(&sql).await;
        let entries: Vec<redis::Value> =
            self.redis(&["XRANGE", &self.log(user), &format!("({}", applied[0]), "+"]).await;
        entries.len()
    }

    /// The key of the log of a user's partition.
    pub fn log(&self, user: u32) -> String {
        self.prefix().log(partition(user))
    }

    /// The names in Redis.
    pub fn prefix(&self) -> Prefix {
        let prefix = Prefix::try_from(self.name.clone()).expect("a prefix");
        if self.servers().cluster().is_some() { prefix.in_cluster() } else { prefix }
    }

    /// Sends a command to Redis.
    ///
    /// # Panics
    ///
    /// If the command concerns every test, and the servers are shared.
    pub async fn redis<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let concerns_all = matches!(
            command,
            ["CLIENT", "KILL", ..]
                | ["CONFIG", "SET" | "RESETSTAT", ..]
                | ["SCRIPT", "FLUSH", ..]
                | ["FLUSHALL", ..]
        );
        let is_own = matches!(*self.servers, ServersRef::Own(_));
        assert!(is_own || !concerns_all, "{command:?} needs servers of its own");
        let answered = match self.servers().cluster() {
            Some(cluster) => self.ask_cluster(cluster, command).await,
            None => ask(&self.servers().redis_url(), command).await,
        };
        let read = answered.and_then(|answer| Ok(T::from_redis_value(answer.extract_error()?)?));
        read.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Sends a command to the master of its key. One without a key goes to any, but `KEYS` to each.
    async fn ask_cluster(
        &self,
        cluster: &RedisCluster,
        command: &[&str],
    ) -> redis::RedisResult<redis::Value> {
        let masters = || cluster.masters().map(|port| format!("redis://127.0.0.1:{port}"));
        if command[0] == "KEYS" {
            let mut found = Vec::new();
            for master in masters() {
                found.extend(Vec::<redis::Value>::from_redis_value(ask(&master, command).await?)?);
            }
            return Ok(redis::Value::Array(found));
        }
        let key = command.iter().find(|argument| self.prefix().names(argument.as_bytes()));
        let slot = key.map_or(0, |key| slot(key.as_bytes()));
        let master = cluster.master(slot).await.expect("the slot has a master");
        let port = cluster.ports().nth(master).expect("there is such a node");
        ask(&format!("redis://127.0.0.1:{port}"), command).await
    }
}

async fn ask(url: &str, command: &[&str]) -> redis::RedisResult<redis::Value> {
    let client = redis::Client::open(url)?;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TEST_TIMEOUT));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let mut built = redis::cmd(command[0]);
    built.arg(&command[1..]);
    built.query_async(&mut connection).await
}

fn partition(user: u32) -> Partition {
    Partition::of(&UserId::try_from(i64::from(user)).expect("a user id"))
}
