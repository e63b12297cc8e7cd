//! One connection, as its session has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use super::close_code::Close;
use super::outbox::Outbox;
use super::watching::Watch;
use super::{Epoch, Format, Hub, Membership, Outgoing, Sendable, Sender, Written};

/// One connection's registration in the hub. Dropping it unregisters the connection.
#[derive(Debug)]
pub struct Registration {
    hub: Arc<Hub>,
    user: UserId,
    /// That of the user.
    partition: Partition,
    outbox: Arc<Outbox>,
}

impl Registration {
    /// The registration of a connection that is in the hub.
    pub(super) fn new(hub: Arc<Hub>, user: UserId, outbox: Arc<Outbox>) -> Self {
        Self { hub, partition: Partition::of(&user), user, outbox }
    }

    /// Whose connection it is.
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The rooms of the connection, which is in none yet.
    pub(crate) fn membership(&self) -> Membership {
        Membership::new(self.hub.clone(), self.user.clone(), self.outbox.clone())
    }

    /// The peers of the connection, which is sent no presence frame before this.
    pub(crate) fn watch(&self, peers: Vec<UserId>, not_before: Option<Instant>) -> Watch {
        Watch::new(self.hub.clone(), self.outbox.clone(), peers, not_before)
    }

    /// A way to this connection that may outlive the registration.
    pub(crate) fn sender(&self) -> Sender {
        Sender::new(self.outbox.clone())
    }

    /// Queues a frame for this connection alone. If the outbox is full, it is closed as too slow.
    pub(crate) fn push(&self, outgoing: &Outgoing) {
        self.outbox.push(outgoing);
    }

    /// The connection knows the frames of client events.
    pub(crate) fn allow_events(&self) {
        self.outbox.allow_events();
    }

    /// What the connection is sent.
    pub(crate) fn format(&self) -> Format {
        self.outbox.format()
    }

    /// Returns once the connection has to end, the epoch is no longer `epoch`, or frames are queued that are
    /// `sendable`.
    pub async fn ready(&self, sendable: Sendable, epoch: Epoch) {
        self.outbox.ready(sendable, || self.epoch() != epoch).await;
    }

    /// The epoch of the user's partition.
    pub fn epoch(&self) -> Epoch {
        self.hub.epoch(self.partition)
    }

    /// Returns once a write of such frames has to be given up, with the reason.
    pub async fn cut_short(&self, written: Written) -> Close {
        self.outbox.cut_short(written).await
    }

    /// Takes the queued frames that are `sendable`, in order; tracked ones only in this epoch. They count as
    /// queued until [`Registration::written`].
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub fn take(&self, sendable: Sendable, epoch: Epoch) -> Result<Vec<Outgoing>, Close> {
        self.outbox.take(sendable, || self.epoch() == epoch)
    }

    /// The frames that were taken have been written.
    pub fn written(&self) {
        self.outbox.written();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut users = self.hub.partition(&self.user);
        if let Some(members) = users.get_mut(&self.user) {
            members.retain(|outbox| !Arc::ptr_eq(outbox, &self.outbox));
            if members.is_empty() {
                users.remove(&self.user);
                // What arrives from now on is not noted here.
                self.hub.arrivals.note(&self.user);
            }
        }
        self.hub.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
