//! The queue of queries to this daemon, from the subscription that they arrive on to the query server.

use chatpush_wire::limit::WAITING_QUERIES;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::base::metrics;

/// A query as it was received, and when it arrived.
pub type QueuedQuery = (String, Instant);

/// The sending end of the queue. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct QueryQueue(mpsc::Sender<QueuedQuery>);

impl QueryQueue {
    /// Both ends of a new queue.
    pub fn new() -> (Self, mpsc::Receiver<QueuedQuery>) {
        let (sender, receiver) = mpsc::channel(WAITING_QUERIES as usize);
        (Self(sender), receiver)
    }

    /// Queues a query without waiting. If the queue is full the query is dropped and counted: its caller
    /// would have timed out before its turn.
    pub fn enqueue(&self, query: &[u8]) {
        let query = String::from_utf8_lossy(query).into_owned();
        if self.0.try_send((query, Instant::now())).is_err() {
            metrics::UNANSWERED.inc();
        }
    }
}
