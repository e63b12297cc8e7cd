//! The connections for reading.
//!
//! They stay open, and so one of them may lead to a server that has stopped being the primary, or to none
//! because the path has died without a word. Therefore each query asks whether the server accepts writes, a
//! connection that was idle is asked for a sign of life first, and after one failure no idle connection is
//! trusted. A new connection leads to where the configured name leads now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::error::UnavailableCause;
use super::multi_statement::SUBQUERY_ROWS;
use super::statements::position;
use super::{CONNECTIONS, StoreError, TRUSTED_TIME, bounded, is_alive};

/// Whether the server refuses writes: a replica, or a primary that another one has replaced. Newer servers give
/// a word instead of a number (MariaDB 12, `read_only`).
pub(super) const READ_ONLY: &str = "CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF')";

/// How long queries may take over a connection that was idle. Then they are repeated over a new one, so that
/// a caller who waits for ten seconds gets an answer although the connection is dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A handle on the pool. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct ReadPool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opts: Opts,
    /// The statement that every text begins with.
    time_zone: String,
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The one that has answered last is used first.
    idle: Vec<Idle>,
    /// How often the idle connections were closed. Connections from before are not kept.
    generation: u64,
    /// Whether the newest connection has led to a server that refuses writes. It is read from, since the
    /// operator has named it, but over new connections alone: once the name leads to a new primary, nothing
    /// is read from the old one.
    read_only: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Conn,
    answered: Instant,
}

impl ReadPool {
    /// A pool without connections. Each read begins with the statement `time_zone`.
    pub(super) fn new(opts: Opts, time_zone: String) -> Self {
        Self(Arc::new(Shared {
            opts,
            time_zone,
            permits: Semaphore::new(CONNECTIONS),
            state: Mutex::default(),
        }))
    }

    /// A number that grows when connections are lost: the server may have been started again since.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Executes queries in one round trip, and returns the rows of each.
    pub(super) async fn read(&self, queries: &[String]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut text = format!("{}; SELECT {READ_ONLY}", self.0.time_zone);
        for query in queries {
            text.push_str("; ");
            text.push_str(query);
        }
        self.execute(&text, queries.len()).await
    }

    /// As [`ReadPool::read`], with statements that change rows. A server that refuses writes executes none of them,
    /// even if this account may write to it (`READ_ONLY ADMIN`): they would be missing on the new primary.
    pub(super) async fn change(&self, statements: &[String]) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut text = format!("{}; SELECT {READ_ONLY}; {}", self.0.time_zone, position::require_writable());
        for statement in statements {
            text.push_str("; ");
            text.push_str(statement);
        }
        let mut rows =
            self.execute(&text, 1 + statements.len()).await.map_err(|error| match error.code() {
                Some(SUBQUERY_ROWS) => StoreError::Unavailable(UnavailableCause::ReadOnly),
                _ => error,
            })?;
        rows.remove(0);
        Ok(rows)
    }

    /// Executes a text that begins with the time zone and [`READ_ONLY`], and returns the rows of the `count`
    /// statements behind them.
    async fn execute(&self, text: &str, count: usize) -> Result<Vec<Vec<Row>>, StoreError> {
        // It is never closed.
        let _permit = self.0.permits.acquire().await;
        let (idle, generation) = self.idle().await;
        if let Some(mut connection) = idle {
            let reading = read(&mut connection, text, count);
            let read = timeout(IDLE_TIMEOUT, reading).await;
            match read.unwrap_or(Err(StoreError::Unavailable(UnavailableCause::Timeout(IDLE_TIMEOUT)))) {
                Ok((false, rows)) => {
                    self.keep(connection, generation);
                    return Ok(rows);
                }
                Ok((true, _)) => self.close_idle(generation),
                Err(error) if is_of_the_server(&error) => {
                    self.close_idle(generation);
                    tracing::debug!(%error, "reading over a new connection");
                }
                Err(error) => return Err(error),
            }
        }
        let generation = self.lock().generation;
        let mut connection = bounded(Conn::new(self.0.opts.clone())).await?;
        let (read_only, rows) = read(&mut connection, text, count).await?;
        if std::mem::replace(&mut self.lock().read_only, read_only) != read_only {
            tracing::warn!(read_only, "the MySQL server has another value of read_only");
        }
        if !read_only {
            self.keep(connection, generation);
        }
        Ok(rows)
    }

    /// An idle connection or a new one, and what [`ReadPool::keep`] needs to take it back.
    pub(super) async fn take(&self) -> Result<(Conn, u64), StoreError> {
        let (idle, generation) = self.idle().await;
        if let Some(connection) = idle {
            return Ok((connection, generation));
        }
        let generation = self.lock().generation;
        Ok((bounded(Conn::new(self.0.opts.clone())).await?, generation))
    }

    /// Closes the idle connections.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let idle = std::mem::take(&mut self.lock().idle);
        for Idle { connection, .. } in idle {
            bounded(connection.disconnect()).await?;
        }
        Ok(())
    }

    /// An idle connection that is alive, if there is one, and the current generation.
    async fn idle(&self) -> (Option<Conn>, u64) {
        let (found, generation) = {
            let mut state = self.lock();
            let found = if state.read_only { None } else { state.idle.pop() };
            (found, state.generation)
        };
        match found {
            Some(Idle { mut connection, answered }) => {
                if answered.elapsed() < TRUSTED_TIME || is_alive(&mut connection).await {
                    return (Some(connection), generation);
                }
                self.close_idle(generation);
                (None, generation)
            }
            None => (None, generation),
        }
    }

    /// Keeps a connection that has answered, unless the idle ones were closed since it was taken or opened, or
    /// there are enough.
    pub(super) fn keep(&self, connection: Conn, generation: u64) {
        let mut state = self.lock();
        // While the server refuses writes nothing is read over an idle connection.
        if state.generation == generation && !state.read_only && state.idle.len() < CONNECTIONS {
            state.idle.push(Idle { connection, answered: Instant::now() });
        }
    }

    /// Closes the idle connections, which lead to a server that is behind. One that is in use is not kept.
    pub(super) fn distrust(&self) {
        let generation = self.lock().generation;
        self.close_idle(generation);
    }

    /// Closes the idle connections, unless somebody has done it since `generation`.
    fn close_idle(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.generation += 1;
            let idle = std::mem::take(&mut state.idle);
            drop(state);
            drop(idle);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another server may answer otherwise: this one cannot be used, or refuses writes.
const fn is_of_the_server(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_)) || matches!(error.code(), Some(SUBQUERY_ROWS))
}

/// The rows of each of `count` queries behind the two that every text begins with, and whether the server
/// refuses writes.
async fn read(connection: &mut Conn, text: &str, count: usize) -> Result<(bool, Vec<Vec<Row>>), StoreError> {
    let mut result = bounded(connection.query_iter(text)).await?;
    bounded(result.collect::<Row>()).await?;
    let read_only: Vec<Option<bool>> = bounded(result.collect()).await?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        rows.push(bounded(result.collect()).await?);
    }
    Ok((read_only.first().copied().flatten().unwrap_or(false), rows))
}
