//! Answers queries: waits until MySQL holds everything that was accepted for the user before the query, then
//! reads.
//!
//! A connection of the extension puts its first query into a list, from which any daemon takes it. Later
//! queries go to the daemon that answered last, over a channel of its own, which Redis need not write to its
//! file.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::due::NO_NOTIFICATIONS;
use chatpush_wire::limit::{BYTES_PER_PAGE, ROWS_PER_PAGE};
use chatpush_wire::query::{Query, QueryRequest};
use chatpush_wire::reply::{NO_CONVERSATIONS, Refusal, Reply};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::barrier::Barrier;
use crate::base::backoff::Backoff;
use crate::broker::queries::QueryLists;
use crate::broker::{BrokerError, replies};
use crate::log::position::Position;
use crate::notify::NotifyError;
use crate::notify::offers::{self, Offers};
use crate::query::queue::QueuedQuery;
use crate::services::Services;
use crate::store::{CONNECTIONS, StoreError};
use crate::web_push::subscriptions::{SubscriptionError, Subscriptions};

/// Queries that this daemon reads for at the same time. Further ones wait: those on its own channel in its
/// queue, those in the list in Redis, where another daemon may take them.
const CONCURRENT_QUERIES: usize = 64;

/// Queries that this daemon has taken. Most of them wait at the barrier: for a user whose row is locked, while
/// others are answered.
const TAKEN_QUERIES: u32 = 4_096;

/// Queries taken from the list at a time.
const QUERIES_PER_POP: usize = 16;

/// How long a query may take, the wait for the log included. Callers give up sooner.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// The answer to a query where nothing is stored. The extension asks only if it has not seen the new record yet.
const PUSH_ONLY: &str = "it stores and reads no messages (storage = \"none\")";

/// Answers queries. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct QueryServer {
    services: Arc<Services>,
    barrier: Barrier,
    /// Offers users who are due; none if nobody is told of anything.
    offers: Option<Offers>,
    /// Where browsers can be reached.
    subscriptions: Subscriptions,
    /// Permits to take a query.
    taken: Arc<Semaphore>,
    /// Permits to read for one.
    permits: Arc<Semaphore>,
    /// Permits to hold a page of rows, which has megabytes. More would not be faster, since each takes a
    /// database connection.
    page_permits: Arc<Semaphore>,
}

impl QueryServer {
    /// A server that answers with these services.
    pub(crate) fn new(services: Arc<Services>, barrier: Barrier) -> Self {
        let [taken, permits, page_permits] =
            [TAKEN_QUERIES as usize, CONCURRENT_QUERIES, CONNECTIONS / 2].map(Semaphore::new).map(Arc::new);
        let notify = services.config.notify;
        let offers = notify.map(|notify| Offers::new(services.clone(), barrier.clone(), notify));
        let subscriptions = Subscriptions::new(services.clone());
        Self { services, barrier, offers, subscriptions, taken, permits, page_permits }
    }

    /// Answers the queries on this daemon's own channel. Returns once the queue is closed and every query is
    /// answered.
    pub(crate) async fn serve_queue(self, mut queue: mpsc::Receiver<QueuedQuery>) {
        while let Some((query, arrived)) = queue.recv().await {
            // Callers have given up on older queries.
            if arrived.elapsed() < QUERY_TIMEOUT {
                self.spawn_answer(query).await;
            }
        }
        let _ = self.taken.acquire_many(TAKEN_QUERIES).await;
    }

    /// Answers the queries in the lists until `stop` is cancelled. Queries under way are finished by their
    /// own tasks.
    pub(crate) async fn serve_lists(self, stop: CancellationToken) {
        let mut redis = Backoff::new("Redis (queries)");
        while !stop.is_cancelled() {
            if let Err(error) = self.take_and_answer(&stop, &mut redis).await {
                tokio::select! {
                    () = redis.failed(&error) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn take_and_answer(
        &self,
        stop: &CancellationToken,
        redis: &mut Backoff,
    ) -> Result<(), BrokerError> {
        let Services { commands, prefix, .. } = &*self.services;
        let mut lists = QueryLists::open(commands.connector(), prefix).await?;
        loop {
            // First a permit, then a query: what this daemon cannot answer now stays in Redis for the others.
            let permit = self.permits.acquire().await;
            let most = self.permits.available_permits().clamp(1, QUERIES_PER_POP);
            let requests = tokio::select! {
                taken = lists.pop(most) => taken?,
                () = stop.cancelled() => return Ok(()),
            };
            redis.recovered();
            drop(permit);
            // What has been taken is answered, also by a daemon that is stopping.
            for request in requests {
                self.spawn_answer(request).await;
            }
        }
    }

    /// Starts to answer once it may be taken.
    async fn spawn_answer(&self, request: String) {
        // The semaphore is never closed, so this always succeeds.
        let Ok(permit) = self.taken.clone().acquire_owned().await else { return };
        let server = self.clone();
        tokio::spawn(async move {
            server.answer(&request).await;
            drop(permit);
        });
    }

    async fn answer(&self, request: &str) {
        let Services { commands, prefix, daemon, config, .. } = &*self.services;
        let (log_end, reply_to, request) = match QueryRequest::decode(request, config.user_id_type) {
            Ok(decoded) => decoded,
            Err(error) => {
                tracing::warn!(%error, "cannot read a query: is an extension of another version in use?");
                return;
            }
        };
        let query = &request.query;
        let is_page = matches!(query, Query::Rows { .. } | Query::Due { .. });
        let log_end = log_end.parse().unwrap_or_default();
        let answered = timeout(QUERY_TIMEOUT, async {
            loop {
                let least = match query.user() {
                    Some(user) => self.barrier.wait(user, log_end).await,
                    None => Position::default(),
                };
                // The semaphores are never closed, so this always succeeds.
                let permits = if is_page { &self.page_permits } else { &self.permits };
                let permit = permits.acquire().await.ok();
                match (self.read(query, least).await, query.user()) {
                    (Err(StoreError::Behind(found)), Some(user)) => {
                        drop(permit);
                        self.barrier.behind(user, found).await;
                    }
                    (read, _) => break (read, permit),
                }
            }
        });
        // The permit is held until the reply is sent.
        let (reply, _permit) = match answered.await {
            Ok((Ok(reply), permit)) => (reply, permit),
            Ok((Err(error), _)) => (Reply::Refused(Refusal::Failed(error.to_string())), None),
            Err(_) => (Reply::Refused(Refusal::Failed("MySQL is behind or away".to_owned())), None),
        };
        let mut pipeline = redis::pipe();
        replies::publish_reply(&mut pipeline, prefix, daemon, query.partition(), reply_to, &reply);
        if let Err(error) = commands.send::<()>(&pipeline).await {
            tracing::debug!(%error, "cannot send an answer; its caller will time out");
        }
    }

    async fn read(&self, query: &Query, least: Position) -> Result<Reply, StoreError> {
        let Some(store) = &self.services.store else {
            return Ok(Reply::Refused(Refusal::Failed(PUSH_ONLY.to_owned())));
        };
        match query {
            Query::Rows { user, after, limit } => {
                let limit = (*limit).min(ROWS_PER_PAGE);
                let page = store.rows(user, least, *after, limit, BYTES_PER_PAGE).await?;
                let rows = page.rows.into_iter().map(|stored| stored.row).collect();
                Ok(Reply::Rows { rows, more: page.has_more })
            }
            Query::Unread { user } => Ok(Reply::Unread(store.unread(user, least).await?.count)),
            Query::UnreadCounts { user } => Ok(match store.unread(user, least).await?.by {
                Some(by) => Reply::UnreadCounts(by),
                None => Reply::Refused(Refusal::NotConfigured(NO_CONVERSATIONS.to_owned())),
            }),
            Query::Due { limit, lease_ms } => {
                let Some(offers) = &self.offers else { return Ok(not_notified()) };
                let taken = offers.take(store, *limit, Duration::from_millis(*lease_ms)).await;
                answer(taken.map(Reply::Due))
            }
            Query::SavePushSubscription { user, subscription } => {
                let saved = self.subscriptions.save(user, subscription).await;
                subscription_answer(saved.map(|()| Reply::PushSubscriptionSaved))
            }
            Query::RemovePushSubscription { user, endpoint } => {
                let removed = self.subscriptions.remove(user, endpoint.as_str()).await;
                subscription_answer(removed.map(Reply::PushSubscriptionRemoved))
            }
            Query::MarkNotified { .. } if self.offers.is_none() => Ok(not_notified()),
            Query::MarkNotified { users } => answer(offers::mark(store, users).await.map(Reply::Notified)),
        }
    }
}

/// The answer where nobody is told of anything.
fn not_notified() -> Reply {
    Reply::Refused(Refusal::NotConfigured(NO_NOTIFICATIONS.to_owned()))
}

/// The answer about a subscription to Web Push.
fn subscription_answer(reply: Result<Reply, SubscriptionError>) -> Result<Reply, StoreError> {
    match reply {
        Ok(reply) => Ok(reply),
        Err(SubscriptionError::Store(error)) => Err(error),
        Err(refused) => Ok(Reply::Refused(Refusal::NotConfigured(refused.to_string()))),
    }
}

/// The answer about notifications.
fn answer(reply: Result<Reply, NotifyError>) -> Result<Reply, StoreError> {
    match reply {
        Ok(reply) => Ok(reply),
        Err(NotifyError::Store(error)) => Err(error),
        Err(NotifyError::Broker(error)) => Ok(Reply::Refused(Refusal::Failed(error.to_string()))),
    }
}
