//! What clients confirm, on its way to the log. Kept and sent again until Redis has it: a confirmation that
//! is lost would bring a message twice.

use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::key::Prefix;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::base::backoff::Backoff;
use crate::broker::{Commands, log};

/// Entries that may wait. Beyond it sessions wait in turn.
const QUEUE: usize = 8_192;

/// Entries in one pipeline.
const PIPELINE: usize = 256;

/// How long a session waits for room before it lets the confirmation go: the message then comes again.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// A handle on the way to the log. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Acks(mpsc::Sender<Entry>);

impl Acks {
    /// A handle, and what it sends to.
    pub fn new() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Hands an entry over to be appended.
    pub async fn append(&self, entry: Entry) {
        if timeout(QUEUE_TIMEOUT, self.0.send(entry)).await.is_err() {
            tracing::warn!(
                "a confirmation was let go because Redis does not keep up; its message comes again"
            );
        }
    }
}

/// Appends what is handed over until every handle is gone.
pub async fn run(commands: Commands, prefix: Prefix, mut entries: mpsc::Receiver<Entry>) {
    let mut redis = Backoff::new("Redis (confirmations)");
    let mut waiting = Vec::with_capacity(PIPELINE);
    while entries.recv_many(&mut waiting, PIPELINE).await > 0 {
        while !waiting.is_empty() {
            let mut pipeline = redis::pipe();
            for entry in &waiting {
                log::append(&mut pipeline, &prefix, entry);
            }
            match commands.send::<()>(&pipeline).await {
                Ok(()) => waiting.clear(),
                Err(error) => {
                    // A confirmation sent twice does no harm, since a row can only be deleted once; a second
                    // clearing would take in what came after the first.
                    waiting.retain(|entry| !matches!(entry, Entry::Clear { .. }));
                    redis.failed(&error).await;
                }
            }
        }
        redis.recovered();
    }
}
