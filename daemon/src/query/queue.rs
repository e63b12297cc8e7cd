//! QueryQueue of the extension to this daemon, from the subscription they come over to the reader.

use chatpush_wire::limit::WAITING_QUERIES;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::base::metrics;

/// What is asked, and when it came.
pub type QueuedQuery = (String, Instant);

/// A handle on the way to the reader. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct QueryQueue(mpsc::Sender<QueuedQuery>);

impl QueryQueue {
    /// A handle, and what it sends to.
    pub fn new() -> (Self, mpsc::Receiver<QueuedQuery>) {
        let (sender, receiver) = mpsc::channel(WAITING_QUERIES as usize);
        (Self(sender), receiver)
    }

    /// Hands a question on without waiting. If too many wait it is let go: its caller hears nothing, and by then would
    /// not have heard in time.
    pub fn enqueue(&self, question: &[u8]) {
        let question = String::from_utf8_lossy(question).into_owned();
        if self.0.try_send((question, Instant::now())).is_err() {
            metrics::UNANSWERED.add(1);
        }
    }
}
