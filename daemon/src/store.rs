//! All SQL. Reading in `rows`, the writer's transaction in `apply`, what it says in `statements` and how that is sent in
//! `transaction`, the tables in `schema`.

pub(crate) mod error;
pub(crate) mod schema;
pub mod migrate;
pub(crate) mod rows;
mod statements;
mod multi_statement;
pub(crate) mod apply;
pub(crate) mod dead_letters;

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts};
use tokio::time::timeout;

use crate::config::{Mysql, Names};

use self::error::UnavailableCause;

pub(crate) use self::error::StoreError;

/// Bound on connecting and on any one round trip.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Most connections in the pool.
pub(crate) const CONNECTIONS: usize = 8;

/// What every session is set to: strict, so that MySQL refuses what it cannot hold instead of cutting it
/// short; short lock waits, so that one application's open transaction does not stop the rest; backslash
/// escapes on, because that is how values are quoted here.
const SESSION_SETTINGS: &str = "SET SESSION sql_mode = \
    'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
    innodb_lock_wait_timeout = 1, autocommit = 1";

/// The character set of every statement, whatever the server would choose: quoting rests on it.
const CHARSET: &str = "SET NAMES utf8mb4";

/// The database, as everything but the writer's transaction sees it. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: Pool,
    opts: Opts,
    names: Names,
}

impl Store {
    /// A pool of at most [`CONNECTIONS`], none of them open yet; what is opened stays.
    pub(crate) fn new(mysql: &Mysql) -> Self {
        // The pool closes what comes back beyond the lower bound, and opening a connection costs more than a query.
        let constraints = PoolConstraints::new(CONNECTIONS, CONNECTIONS).unwrap_or_default();
        let pool = PoolOpts::default().with_constraints(constraints).with_reset_connection(false);
        let opts: Opts = OptsBuilder::from_opts(mysql.opts.clone())
            .pool_opts(pool)
            .setup(vec![CHARSET, SESSION_SETTINGS])
            // An UPDATE that finds its row and leaves it as it is has found it all the same.
            .client_found_rows(true)
            // The statements differ in their number of rows, so keeping them prepared would only fill memory.
            .stmt_cache_size(0_usize)
            .into();
        Self { pool: Pool::new(opts.clone()), opts, names: mysql.names.clone() }
    }

    /// What the application calls its tables and columns.
    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// A connection of the pool.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when there is none within the deadline.
    pub(crate) async fn connection(&self) -> Result<Conn, StoreError> {
        bounded(self.pool.get_conn()).await
    }

    /// A connection outside of the pool, which ends with whoever holds it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when there is none within the deadline.
    pub(crate) async fn dedicated_connection(&self) -> Result<Conn, StoreError> {
        bounded(Conn::new(self.opts.clone())).await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        bounded(connection.query_drop("DO 1")).await
    }

    /// Closes every connection, waiting for nobody longer than the deadline.
    pub(crate) async fn close(self) {
        if let Err(error) = bounded(self.pool.disconnect()).await {
            tracing::debug!(%error, "the database connections did not close in order");
        }
    }
}

/// Runs one step against the database under the deadline.
pub(crate) async fn bounded<T>(
    step: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, StoreError> {
    match timeout(OPERATION_TIMEOUT, step).await {
        Ok(done) => done.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unavailable(UnavailableCause::Timeout(OPERATION_TIMEOUT))),
    }
}
