//! The replay of stored messages after connecting: rows, oldest first, then the unread counter.
//!
//! A message must not be lost between "receiver offline" and "receiver connected". The session first waits
//! until Redis counts the subscription, then reads the log's last id. What was accepted for the user up to that
//! id is in MySQL after the barrier ([`crate::barrier`]). What is accepted after it arrives over the
//! subscription.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::frame::Message;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::announce::connected::Connected;
use crate::barrier::Barrier;
use crate::base::backoff::Backoff;
use crate::broker::log;
use crate::edge::revocations::Revocations;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::{Epoch, Format, Hub, Outgoing, Page, Topic};
use crate::log::position::Position;
use crate::notify::returned::Returned;
use crate::services::Services;
use crate::store::rows::{Cursor, RowPage, StoredRow, Unread};
use crate::store::{CONNECTIONS, StoreError};

/// Bytes of content in a page. A page holds at least one row, whatever its size. At most two pages are held
/// for a client: one it is being sent, and one that is being read or is queued.
const PAGE_BYTES: usize = 256 * 1024;

/// How long a page may take before what is only pushed goes on without it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Replays stored messages. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    services: Arc<Services>,
    hub: Arc<Hub>,
    subscriptions: Subscriptions,
    revocations: Revocations,
    barrier: Barrier,
    returned: Returned,
    connected: Connected,
    /// Permits to read a page: half as many as there are database connections, so that a returning crowd
    /// leaves the other half to queries and to those who are connected.
    page_permits: Arc<Semaphore>,
}

/// A part of a replay.
#[derive(Debug)]
pub(crate) enum ReplayPart {
    /// The user's tokens from before this second are revoked. It comes first.
    Revoked(u64),
    /// Stored messages cannot be read for now: what is only pushed need not wait for them.
    Delayed,
    /// Frames to send, in order. More parts follow.
    Page(Page),
    /// The last frames, which live ones may follow, and the epoch of the subscription they belong to.
    Last(Page, Epoch),
}

impl Replay {
    /// Replays to be run with these services.
    pub(crate) fn new(
        services: Arc<Services>,
        hub: Arc<Hub>,
        subscriptions: Subscriptions,
        barrier: Barrier,
        (returned, connected): (Returned, Connected),
    ) -> Self {
        let revocations = Revocations::new(services.clone());
        let page_permits = Arc::new(Semaphore::new(CONNECTIONS / 2));
        Self { services, hub, subscriptions, revocations, barrier, returned, connected, page_permits }
    }

    /// Starts a replay for one connection of `user` after a delay. The channel holds one part: the next page
    /// is read once the session has taken the last one. The replay ends when the receiver is dropped.
    pub(crate) fn start(&self, user: UserId, format: Format, delay: Duration) -> mpsc::Receiver<ReplayPart> {
        let (parts, receiver) = mpsc::channel(1);
        let replay = self.clone();
        tokio::spawn(async move {
            let dropped = parts.clone();
            tokio::select! {
                // The only error is that the receiver has been dropped.
                _ = async { tokio::time::sleep(delay).await; replay.run(user, format, parts).await } => {}
                () = dropped.closed() => {}
            }
        });
        receiver
    }

    async fn run(
        &self,
        user: UserId,
        format: Format,
        parts: mpsc::Sender<ReplayPart>,
    ) -> Result<(), mpsc::error::SendError<()>> {
        let epoch = self.subscriptions.subscribed(&Topic::User(user.clone())).await;
        // What is revoked from now on closes the connection over the subscription; a call that came before it, or
        // that the subscription missed, is in the record.
        if let Some(second) = self.revocations.revoked_before(&user).await {
            parts.reserve().await?.send(ReplayPart::Revoked(second));
        }
        self.returned.note(&user).await;
        self.connected.note(&user);
        let mut mysql = Backoff::new("MySQL (replay)");
        let mut reached = None;
        let mut cursor = Cursor::default();
        loop {
            // First a slot, then a page: what a slow client does not take is not read.
            let mut slot = parts.reserve().await?;
            let reading = async {
                if reached.is_none() && self.services.store.is_some() {
                    let end = self.log_end(Partition::of(&user)).await;
                    reached = Some(self.barrier.wait(&user, end).await);
                }
                self.read(&user, reached.unwrap_or_default(), &mut cursor, &mut mysql).await
            };
            tokio::pin!(reading);
            let (page, unread) = if let Ok(read) = timeout(PAGE_TIMEOUT, &mut reading).await {
                read
            } else {
                slot.send(ReplayPart::Delayed);
                let (next, read) = tokio::join!(parts.reserve(), reading);
                slot = next?;
                read
            };
            let has_more = page.has_more && !page.rows.is_empty();
            let frames = page.rows.into_iter().map(|stored| self.outgoing(stored, format));
            if has_more {
                slot.send(ReplayPart::Page(self.hub.page(frames.collect())));
            } else {
                let unread = unread.map(|unread| Outgoing::new(Utf8Bytes::from(unread.frame()), None));
                let last = self.hub.page(frames.chain(unread).collect());
                slot.send(ReplayPart::Last(last, epoch));
                return Ok(());
            }
        }
    }

    /// Reads the next page and the counter, as often as it takes, from a server that has reached `least`.
    async fn read(
        &self,
        user: &UserId,
        mut least: Position,
        cursor: &mut Cursor,
        mysql: &mut Backoff,
    ) -> (RowPage, Option<Unread>) {
        loop {
            match self.page(user, least, cursor).await {
                Ok((page, unread)) => {
                    mysql.recovered();
                    cursor.advance(&page);
                    return (page, unread);
                }
                Err(StoreError::Behind(found)) => {
                    self.barrier.behind(user, found).await;
                    least = self.barrier.wait(user, least).await;
                }
                Err(error) => mysql.failed(&error).await,
            }
        }
    }

    /// The id of the last entry in the partition's log.
    async fn log_end(&self, partition: Partition) -> Position {
        let Services { commands, prefix, .. } = &*self.services;
        let mut redis = Backoff::new("Redis (replay)");
        loop {
            match log::last(commands, prefix, partition).await {
                Ok(position) => {
                    redis.recovered();
                    return position;
                }
                Err(error) => redis.failed(&error).await,
            }
        }
    }

    /// The next page, and the counter; none where nothing is stored.
    async fn page(
        &self,
        user: &UserId,
        least: Position,
        cursor: &Cursor,
    ) -> Result<(RowPage, Option<Unread>), StoreError> {
        let Services { store: Some(store), config, .. } = &*self.services else {
            return Ok((RowPage::default(), None));
        };
        // The semaphore is never closed, so this always succeeds.
        let _permit = self.page_permits.acquire().await;
        let (page, unread) = if config.flush_on_connect {
            store.rows_and_unread(user, least, cursor, self.hub.page_bytes(PAGE_BYTES)).await?
        } else {
            (RowPage::default(), store.unread(user, least).await?)
        };
        Ok((page, Some(unread)))
    }

    fn outgoing(&self, StoredRow { row, message_type }: StoredRow, format: Format) -> Outgoing {
        let frame = match format {
            Format::Content => row.content,
            Format::Json => {
                let message = Message {
                    id: &row.message_id,
                    message_type: Some(message_type.as_ref().unwrap_or(&self.services.config.default_type)),
                    data: &row.content,
                    from: Some(&row.sender),
                    conversation: row.conversation.as_ref(),
                };
                message.stored(row.time_ms)
            }
        };
        Outgoing::new(Utf8Bytes::from(frame), Some(Arc::new(row.message_id)))
    }
}
