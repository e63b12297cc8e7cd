//! Answers look-ups: waits until MySQL holds everything that was accepted before the question, then reads.
//!
//! Who asks for the first time leaves the question in a list, from which any daemon takes it. From then on it asks the
//! daemon that answered, over a channel of that daemon's own: Redis then writes nothing down for it.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::key::Prefix;
use chatpush_wire::limit::{BYTES_PER_PAGE, ROWS_PER_PAGE};
use chatpush_wire::partition::Partition;
use chatpush_wire::query::{Query, QueryRequest};
use chatpush_wire::reply::{Refusal, Reply};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::broker::{BrokerError, Commands, blocking_connection, queries, replies};
use crate::log::position::Positions;
use crate::query::barrier;
use crate::query::queue::QueuedQuery;
use crate::store::{Store, StoreError};

/// Look-ups under way at once in this daemon. Others wait: those for this daemon here, the rest in Redis, where another
/// may take them.
const AT_ONCE: u32 = 64;

/// How long a look-up waits for the log to be applied before it gives up. Callers wait less.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for look-ups under way.
pub fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE as usize))
}

/// What the reader works with.
#[derive(Clone, Debug)]
pub struct QueryServer {
    /// Redis.
    pub commands: Commands,
    /// The start of every Redis name.
    pub prefix: Prefix,
    /// This daemon's name.
    pub name: String,
    /// Room for look-ups under way; see [`room`].
    pub free: Arc<Semaphore>,
    /// MySQL.
    pub store: Store,
    /// How far the log is applied.
    pub positions: Arc<Positions>,
}

impl QueryServer {
    /// Answers what this daemon is asked, until nobody can ask it any more and all is answered.
    pub async fn answer_asked(self, mut queries: mpsc::Receiver<QueuedQuery>) {
        while let Some((question, came)) = queries.recv().await {
            // Whoever asked so long ago does not wait any more.
            if came.elapsed() < QUERY_TIMEOUT {
                self.begin(question).await;
            }
        }
        _ = self.free.acquire_many(AT_ONCE).await;
    }

    /// Answers what waits in the lists until told to stop; look-ups under way are finished by their own tasks.
    pub async fn run(self, stop: CancellationToken) {
        let mut redis = Backoff::new("Redis (reads)");
        while !stop.is_cancelled() {
            if let Err(error) = self.serve(&stop, &mut redis).await {
                tokio::select! {
                    () = redis.failed(&error) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn serve(&self, stop: &CancellationToken, redis: &mut Backoff) -> Result<(), BrokerError> {
        let mut connection = blocking_connection(self.commands.client()).await?;
        let mut first = 0;
        loop {
            // Room first, request second: what this daemon has no room for stays for others to take.
            let room = self.free.acquire().await;
            let most = self.free.available_permits().max(1);
            // What is taken is answered, also by a daemon that stops.
            let requests = tokio::select! {
                taken = queries::take(&mut connection, &self.prefix, first, most.min(16)) => taken?,
                () = stop.cancelled() => return Ok(()),
            };
            redis.recovered();
            drop(room);
            first = (first + 1) % Partition::COUNT;
            for text in requests {
                self.begin(text).await;
            }
        }
    }

    /// Begins to answer as soon as there is room.
    async fn begin(&self, text: String) {
        // The semaphore is never closed.
        let Ok(room) = self.free.clone().acquire_owned().await else { return };
        let reader = self.clone();
        tokio::spawn(async move {
            reader.answer(&text).await;
            drop(room);
        });
    }

    async fn answer(&self, text: &str) {
        let (position, reply_to, request) = match QueryRequest::decode(text) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::warn!(%error, "request not read: is an extension of another version in use?");
                return;
            }
        };
        let partition = Partition::of(request.query.user());
        let position = position.parse().unwrap_or_default();
        let looked = timeout(QUERY_TIMEOUT, async {
            barrier::wait_until_applied(&self.positions, &self.store, partition, position).await;
            self.look(&request.query).await
        });
        let reply = match looked.await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => Reply::Refused(Refusal::Failed(error.to_string())),
            Err(_) => Reply::Refused(Refusal::Failed("MySQL is behind or away".to_owned())),
        };
        let mut pipeline = redis::pipe();
        replies::answer(&mut pipeline, &self.prefix, &self.name, partition, reply_to, &reply);
        if let Err(error) = self.commands.send::<()>(&pipeline).await {
            tracing::debug!(%error, "an answer did not reach Redis; its caller asks again");
        }
    }

    async fn look(&self, ask: &Query) -> Result<Reply, StoreError> {
        match *ask {
            Query::Rows { user, after, limit } => {
                let (rows, more) =
                    self.store.rows(user, after, limit.min(ROWS_PER_PAGE), BYTES_PER_PAGE).await?;
                Ok(Reply::Rows { rows: rows.into_iter().map(|stored| stored.row).collect(), more })
            }
            Query::Unread { user } => Ok(Reply::Unread(self.store.unread(user).await?)),
        }
    }
}
