//! MySQL: every SQL statement.
//!
//! `rows` reads. `writer_connection` is the writer's own, `apply` its transaction, `statements` the SQL, and
//! `multi_statement` sends it in one round trip. `known_messages` and `forgetting` use it, too. `probe` shows whether
//! others succeed where an entry fails. `schema` has the tables, `migrations` their numbered changes, which `migrate`
//! applies. `tables` finds what the application's tables hold, `character_sets` which characters, `column_values` tries
//! the constants of their columns, `user_columns` whether those of user ids serve, and `adoption` what becomes of rows
//! from before chatpush. `privileges` tries what the account may do, and `installation` compares what the database was
//! made for. `notified` keeps whom to tell that messages wait, and `push_subscriptions` where browsers can be reached.
//! `webhook_events` queues what the application is told of, and `announced` keeps who is online. `dead_letters` reads
//! and deletes dead letters, `counts` counts what waits for an operator or the application, `failing` finds why, and
//! `fate` looks for one message. `transaction` puts statements in their order, `time_limit` ends those that take too
//! long, and `writer_lock` is how a writer ends its predecessor. `mailbox` counts what waits, and removes what is too
//! old.

pub(crate) mod error;
pub(crate) mod schema;
pub(crate) mod user_columns;
mod migrations;
pub(crate) mod installation;
pub mod migrate;
pub(crate) mod rows;
pub(crate) mod notified;
pub(crate) mod webhook_events;
pub(crate) mod announced;
pub(crate) mod push_subscriptions;
pub(crate) mod identity;
mod statements;
mod multi_statement;
pub(crate) mod tables;
mod character_sets;
pub(crate) mod column_values;
pub(crate) mod adoption;
pub(crate) mod server;
mod probe;
pub(crate) mod privileges;
mod read_pool;
mod writer_lock;
pub(crate) mod writer_connection;
pub(crate) mod apply;
mod known_messages;
mod forgetting;
mod transaction;
pub(crate) mod time_limit;
mod counters;
mod sweep;
pub(crate) mod sweep_parts;
pub(crate) mod mailbox;
pub(crate) mod counts;
pub(crate) mod failing;
pub(crate) mod dead_letters;
pub(crate) mod fate;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::key::Prefix;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Row};
use tokio::time::timeout;

use crate::config::{Mysql, Names};

use self::character_sets::CharacterSets;
use self::column_values::TriedValues;
use self::error::UnavailableCause;
use self::privileges::Privileged;
use self::read_pool::ReadPool;
use self::tables::Tables;

pub(crate) use self::error::StoreError;

/// How long connecting may take, and each round trip.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// How long after its last answer a connection is used without asking whether it is alive.
const TRUSTED_TIME: Duration = Duration::from_secs(1);

/// How long the answer to that question may take. The server executes nothing else on the connection.
const ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// When a silent connection is probed (`TCP_KEEPIDLE`). A server, or a proxy in between, that is
/// gone without a word is noticed while the connection is idle.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Most connections in the pool.
pub(crate) const CONNECTIONS: usize = 8;

/// The settings of every session. Strict mode: MySQL refuses a value that does not fit instead of truncating
/// it. Short lock waits: an open transaction of the application does not stop the rest. No
/// `NO_BACKSLASH_ESCAPES`: values are quoted with backslashes here.
const SESSION_SETTINGS: &str = "SET SESSION sql_mode = \
    'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
    innodb_lock_wait_timeout = 1, autocommit = 1";

/// The character set of every statement, whatever the server's default. The quoting of values depends on it.
const CHARSET: &str = "SET NAMES utf8mb4";

/// The database, for everything but the writer's transaction. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: ReadPool,
    opts: Opts,
    mysql: Arc<Mysql>,
    prefix: Prefix,
    /// The application's tables, as they were found last.
    tables: Arc<Mutex<Option<Arc<Tables>>>>,
    character_sets: CharacterSets,
    tried_values: TriedValues,
    privileged: Privileged,
    /// When users were marked as told last: each time is of one call.
    last_told: Arc<AtomicU64>,
}

impl Store {
    /// A pool of at most [`CONNECTIONS`], which stay open once they are opened. None is open yet.
    pub(crate) fn new(mysql: &Mysql, prefix: &Prefix) -> Self {
        let opts: Opts = OptsBuilder::from_opts(mysql.opts.clone())
            .setup(vec![CHARSET, SESSION_SETTINGS])
            .tcp_keepalive(Some(KEEPALIVE))
            // Count the rows that an UPDATE has found, not only those it has changed.
            .client_found_rows(true)
            // Statements differ in their number of rows, so a cache of prepared ones would only fill memory.
            .stmt_cache_size(0_usize)
            .into();
        Self {
            pool: ReadPool::new(opts.clone(), tables::time_zone(mysql)),
            opts,
            mysql: Arc::new(mysql.clone()),
            prefix: prefix.clone(),
            tables: Arc::default(),
            character_sets: CharacterSets::default(),
            tried_values: TriedValues::default(),
            privileged: Privileged::default(),
            last_told: Arc::default(),
        }
    }

    /// The application's names of tables and columns.
    pub(crate) fn names(&self) -> &Names {
        &self.mysql.names
    }

    /// The settings.
    fn mysql(&self) -> &Mysql {
        &self.mysql
    }

    /// The application's tables, as they were found last.
    ///
    /// # Errors
    ///
    /// As [`Store::installation`], until they were found once.
    async fn tables(&self) -> Result<Arc<Tables>, StoreError> {
        if let Some(tables) = self.found_tables().clone() {
            return Ok(tables);
        }
        self.installation().await.map(|found| found.tables)
    }

    fn found_tables(&self) -> MutexGuard<'_, Option<Arc<Tables>>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The start of the installation's names in Redis.
    pub(crate) fn prefix(&self) -> &str {
        self.prefix.as_str()
    }

    /// Executes queries in one round trip, and returns the rows of each.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached or refuses a query.
    pub(crate) async fn read(&self, queries: &[String]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.pool.read(queries).await
    }

    /// Executes statements that change rows in one round trip, and returns the rows of each. A server that refuses
    /// writes executes none of them, whatever this account may do.
    ///
    /// # Errors
    ///
    /// As [`Store::read`], and [`UnavailableCause::ReadOnly`]. Statements before one that fails were executed.
    pub(crate) async fn change(&self, statements: &[String]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.pool.change(statements).await
    }

    /// A new connection outside of the pool. The server logs a warning if it is dropped and not disconnected.
    pub(crate) async fn connection(&self) -> Result<Conn, StoreError> {
        bounded(Conn::new(self.opts.clone())).await
    }

    /// Reads over new connections from now on: the idle ones lead to a server that is behind.
    pub(crate) fn distrust_idle_connections(&self) {
        self.pool.distrust();
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.read(&[]).await.map(drop)
    }

    /// Closes every connection, or gives up after the timeout.
    pub(crate) async fn close(self) {
        if let Err(error) = self.pool.close().await {
            tracing::debug!(%error, "cannot close the database connections");
        }
    }
}

/// Whether a connection that was idle still leads to a server. A path that died without a word would cost a
/// whole [`OPERATION_TIMEOUT`].
async fn is_alive(connection: &mut Conn) -> bool {
    matches!(timeout(ALIVE_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

/// Runs one step against the database, with a timeout.
pub(crate) async fn bounded<T>(
    step: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, StoreError> {
    match timeout(OPERATION_TIMEOUT, step).await {
        Ok(done) => done.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable(UnavailableCause::Timeout(OPERATION_TIMEOUT))),
    }
}
