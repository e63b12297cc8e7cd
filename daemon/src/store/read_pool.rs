//! The connections for reading. A pool keeps them open, and so it would go on reading from a server that has
//! stopped being the primary, or wait for one that has died without a word. So each query asks whether the
//! server accepts writes, and one sign that it does not, or one timeout, replaces all idle connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Pool, Row};
use tokio::time::Instant;

use super::{StoreError, TIME_ZONE, bounded};

/// How long a server that refuses writes is read from, if a new connection reaches no other. It is the one
/// that the operator has named.
const READ_ONLY_ACCEPTED: Duration = Duration::from_secs(5);

/// A handle on the pool. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct ReadPool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opts: Opts,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    /// How many pools there were before.
    generation: u64,
    /// Until when a server that refuses writes is read from.
    read_only_until: Option<Instant>,
}

impl ReadPool {
    /// A pool without connections.
    pub(super) fn new(opts: Opts) -> Self {
        let state = State { pool: Pool::new(opts.clone()), generation: 0, read_only_until: None };
        Self(Arc::new(Shared { opts, state: state.into() }))
    }

    /// A connection.
    pub(super) async fn connection(&self) -> Result<Conn, StoreError> {
        let (pool, generation) = self.current();
        let connected = bounded(pool.get_conn()).await;
        self.renew_after(&connected, generation);
        connected
    }

    /// Executes queries in one round trip, and returns the rows of each.
    pub(super) async fn read(&self, queries: &[String]) -> Result<Vec<Vec<Row>>, StoreError> {
        let text = format!("{TIME_ZONE}; SELECT @@global.read_only; {}", queries.join("; "));
        loop {
            let (pool, generation) = self.current();
            let read = read(&pool, &text, queries.len()).await;
            self.renew_after(&read, generation);
            let (read_only, rows) = read?;
            if !read_only || self.accepts_read_only() {
                return Ok(rows);
            }
            tracing::warn!("the MySQL server refuses writes (read_only), connecting again");
            self.renew(generation);
            self.lock().read_only_until = Some(Instant::now() + READ_ONLY_ACCEPTED);
        }
    }

    /// Closes every connection.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (pool, _) = self.current();
        bounded(pool.disconnect()).await
    }

    fn current(&self) -> (Pool, u64) {
        let state = self.lock();
        (state.pool.clone(), state.generation)
    }

    fn accepts_read_only(&self) -> bool {
        self.lock().read_only_until.is_some_and(|until| Instant::now() < until)
    }

    /// After a failed connection, the idle ones are not trusted either.
    fn renew_after<T>(&self, done: &Result<T, StoreError>, generation: u64) {
        if let Err(StoreError::Unavailable(_)) = done {
            self.renew(generation);
        }
    }

    /// Replaces the pool, unless somebody has done it meanwhile. Connections in use are closed when they are
    /// given back.
    fn renew(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation {
            state.generation += 1;
            let old = std::mem::replace(&mut state.pool, Pool::new(self.0.opts.clone()));
            drop(state);
            tokio::spawn(async move {
                if let Err(error) = bounded(old.disconnect()).await {
                    tracing::debug!(%error, "cannot close the old database connections");
                }
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of each of `count` queries behind the two that every text begins with, and whether the server
/// refuses writes.
async fn read(pool: &Pool, text: &str, count: usize) -> Result<(bool, Vec<Vec<Row>>), StoreError> {
    let mut connection = bounded(pool.get_conn()).await?;
    let mut result = bounded(connection.query_iter(text)).await?;
    bounded(result.collect::<Row>()).await?;
    let read_only: Vec<Option<bool>> = bounded(result.collect()).await?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        rows.push(bounded(result.collect()).await?);
    }
    drop(result);
    drop(connection);
    Ok((read_only.first().copied().flatten().unwrap_or(false), rows))
}
