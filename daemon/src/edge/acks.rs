//! Clients' acknowledgements on their way to the log. They are kept and sent again until Redis has them: a
//! lost acknowledgement would show a message twice.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::entry::Entry;
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

/// The sessions' end of the queue. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Acks(mpsc::Sender<Entry>);

impl Acks {
    /// Both ends of a new queue.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, receiver) = mpsc::channel(QUEUE_ENTRIES);
        (Self(sender), receiver)
    }

    /// Queues an entry for the log.
    pub(crate) async fn append(&self, entry: Entry) {
        if timeout(QUEUE_TIMEOUT, self.0.send(entry)).await.is_err() {
            tracing::warn!("acknowledgement dropped: Redis does not keep up. Its message will be sent again");
        }
    }
}

/// Appends queued entries to the log until every [`Acks`] is dropped.
pub(crate) async fn run(services: Arc<Services>, mut entries: mpsc::Receiver<Entry>) {
    let mut redis = Backoff::new("Redis (acknowledgements)");
    let mut waiting = Vec::with_capacity(PIPELINE_ENTRIES);
    while entries.recv_many(&mut waiting, PIPELINE_ENTRIES).await > 0 {
        while !waiting.is_empty() {
            let mut pipeline = redis::pipe();
            for entry in &waiting {
                log::append(&mut pipeline, &services.prefix, entry);
            }
            match services.commands.send::<()>(&pipeline).await {
                Ok(()) => waiting.clear(),
                Err(error) => {
                    // The pipeline may have been carried out. Repeating an acknowledgement is harmless, since
                    // a row is deleted once. Repeating a clear would also clear what arrived after the first
                    // one.
                    waiting.retain(|entry| !matches!(entry, Entry::Clear { .. }));
                    redis.failed(&error).await;
                }
            }
        }
        redis.recovered();
    }
}
