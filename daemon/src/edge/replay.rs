//! What a user missed: stored rows, oldest first, then the unread counter.
//!
//! The barrier closes the race between "nobody there" and "just connected". It is taken after Redis counts
//! the user as present: what was accepted before is in MySQL once the position has reached the barrier, what
//! is accepted after comes over the subscription.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use chatpush_wire::frame::{self, Message, MessageType};
use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use tokio::sync::{Semaphore, mpsc};

use crate::base::backoff::Backoff;
use crate::broker::{Commands, log};
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::{Epoch, Outgoing};
use crate::log::position::Positions;
use crate::query::barrier;
use crate::store::rows::StoredRow;
use crate::store::{CONNECTIONS, Store, StoreError};

/// Rows in a page. Three pages are held for a client at most: the one that it takes, one that waits, one that
/// was read.
const PAGE_ROWS: u32 = 200;

/// Bytes of content in a page, beyond which it has one row.
const PAGE_BYTES: usize = 256 * 1024;

/// What a flush needs.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Redis.
    pub commands: Commands,
    /// The start of every Redis name.
    pub prefix: Prefix,
    /// MySQL.
    pub store: Store,
    /// How far the log is applied.
    pub positions: Arc<Positions>,
    /// Who is subscribed.
    pub subscriptions: Subscriptions,
    /// The type for rows stored without one.
    pub default_type: MessageType,
    /// Whether rows are delivered at all, or the counter alone.
    pub rows: bool,
    /// See [`pages`].
    pub pages: Arc<Semaphore>,
}

/// QueryQueue that flushes may ask at once: half as many as there are database connections, so that a crowd that comes back leaves the
/// other half to those who are here.
pub fn pages() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CONNECTIONS / 2))
}

/// A part of a flush.
#[derive(Debug)]
pub enum ReplayPart {
    /// Frames to send, in order; others follow.
    Page(Vec<Outgoing>),
    /// The last frames; live traffic may follow. The epoch is the one the subscription had.
    Last(Vec<Outgoing>, Epoch),
}

impl Replay {
    /// Flushes for one connection of `user`, into a channel that holds one part: the next page is read when
    /// the client has taken the last. Ends when the receiver is dropped.
    pub fn start(&self, user: UserId) -> mpsc::Receiver<ReplayPart> {
        self.start_after(Duration::ZERO, user)
    }

    /// The same after a pause.
    pub fn start_after(&self, pause: Duration, user: UserId) -> mpsc::Receiver<ReplayPart> {
        let (parts, receiver) = mpsc::channel(1);
        let flush = self.clone();
        tokio::spawn(async move {
            let gone = parts.clone();
            tokio::select! {
                // The only error is that the connection has gone.
                _ = async { tokio::time::sleep(pause).await; flush.run(user, parts).await } => {}
                () = gone.closed() => {}
            }
        });
        receiver
    }

    async fn run(
        &self,
        user: UserId,
        parts: mpsc::Sender<ReplayPart>,
    ) -> Result<(), mpsc::error::SendError<ReplayPart>> {
        let epoch = self.subscriptions.subscribed(user).await;
        let partition = Partition::of(user);
        let mut redis = Backoff::new("Redis (barrier)");
        let position = loop {
            match log::last(&self.commands, &self.prefix, partition).await {
                Ok(position) => break position,
                Err(error) => redis.failed(&error).await,
            }
        };
        redis.recovered();
        barrier::wait_until_applied(&self.positions, &self.store, partition, position).await;
        let mut mysql = Backoff::new("MySQL (flush)");
        let mut after = 0;
        loop {
            // The semaphore is never closed, so there is always a turn.
            let turn = self.pages.acquire().await;
            let read = self.read(user, after).await;
            drop(turn);
            let (page, follows, unread) = match read {
                Ok(read) => read,
                Err(error) => {
                    mysql.failed(&error).await;
                    continue;
                }
            };
            mysql.recovered();
            let last = page.last().map(|stored| stored.row.id);
            let mut frames: Vec<_> = page.into_iter().map(|stored| self.outgoing(&stored)).collect();
            if let Some(last) = last.filter(|_| follows) {
                after = last;
                parts.send(ReplayPart::Page(frames)).await?;
            } else {
                frames.push(Outgoing { frame: Utf8Bytes::from(frame::unread(unread)), tracked: None });
                return parts.send(ReplayPart::Last(frames, epoch)).await;
            }
        }
    }

    /// The rows behind `after`, whether more may follow, and the counter.
    async fn read(&self, user: UserId, after: u64) -> Result<(Vec<StoredRow>, bool, u64), StoreError> {
        if self.rows {
            self.store.rows_and_unread(user, after, PAGE_ROWS, PAGE_BYTES).await
        } else {
            Ok((Vec::new(), false, self.store.unread(user).await?))
        }
    }

    fn outgoing(&self, StoredRow { row, message_type }: &StoredRow) -> Outgoing {
        let message = Message {
            id: &row.message_id,
            message_type: Some(message_type.as_ref().unwrap_or(&self.default_type)),
            data: &row.content,
            from: Some(row.sender_id),
        };
        let frame = Utf8Bytes::from(message.stored(row.time_ms));
        Outgoing { frame, tracked: Some(Arc::new(row.message_id.clone())) }
    }
}
