//! Clients' acknowledgements on their way to the log. They are kept and sent again until Redis has them: a
//! lost acknowledgement would show a message twice.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::new_entry;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::base::backoff::Backoff;
use crate::broker::log;
use crate::services::Services;

/// Entries that may wait for Redis. Beyond it sessions wait, up to [`QUEUE_TIMEOUT`].
const QUEUE_ENTRIES: usize = 8_192;

/// Entries in one pipeline.
const PIPELINE_ENTRIES: usize = 256;

/// How long a session waits for room in the queue before it drops the acknowledgement.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client acknowledges.
#[derive(Debug)]
pub(crate) enum Ack {
    /// The user's client has these messages.
    Messages(UserId, Vec<MessageId>),
    /// The user has read everything.
    Read(UserId),
}

/// The sessions' end of the queue. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Acks(mpsc::Sender<Ack>);

impl Acks {
    /// Both ends of a new queue.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Ack>) {
        let (sender, receiver) = mpsc::channel(QUEUE_ENTRIES);
        (Self(sender), receiver)
    }

    /// Queues an acknowledgement for the log.
    pub(crate) async fn append(&self, ack: Ack) {
        if timeout(QUEUE_TIMEOUT, self.0.send(ack)).await.is_err() {
            tracing::warn!("acknowledgement dropped: Redis does not keep up. Its message will be sent again");
        }
    }
}

/// Appends queued acknowledgements to the log until every [`Acks`] is dropped.
pub(crate) async fn run(services: Arc<Services>, mut acks: mpsc::Receiver<Ack>) {
    let mut redis = Backoff::new("Redis (acknowledgements)");
    let mut waiting = Vec::with_capacity(PIPELINE_ENTRIES);
    while acks.recv_many(&mut waiting, PIPELINE_ENTRIES).await > 0 {
        while !waiting.is_empty() {
            let mut pipeline = redis::pipe();
            for ack in &waiting {
                let (receiver, fields) = match ack {
                    Ack::Messages(receiver, ids) => (*receiver, new_entry::client_ack(*receiver, ids)),
                    Ack::Read(receiver) => (*receiver, new_entry::clear(*receiver)),
                };
                log::append(&mut pipeline, &services.prefix, receiver, &fields);
            }
            match services.commands.send::<()>(&pipeline).await {
                Ok(()) => waiting.clear(),
                Err(error) => {
                    // The pipeline may have been carried out. Repeating an acknowledgement is harmless, since
                    // a row is deleted once. Repeating a clear would also clear what arrived after the first
                    // one.
                    waiting.retain(|ack| !matches!(ack, Ack::Read(_)));
                    redis.failed(&error).await;
                }
            }
        }
        redis.recovered();
    }
}
