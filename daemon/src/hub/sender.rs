//! A way to one connection that outlives a step of its session.

use std::sync::Arc;

use super::Outgoing;
use super::outbox::Outbox;

/// Queues frames for one connection. After its end they go nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Sender(Arc<Outbox>);

impl Sender {
    pub(super) const fn new(outbox: Arc<Outbox>) -> Self {
        Self(outbox)
    }

    /// Queues a frame. If the outbox is full, the connection is closed as too slow.
    pub(crate) fn push(&self, outgoing: &Outgoing) {
        self.0.push(outgoing);
    }
}
