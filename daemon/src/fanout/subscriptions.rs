//! Which channels this daemon is subscribed to for its connections: those of the users whose connections it
//! holds, and of the rooms that these are in. Redis counts subscribers, so presence needs no record of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chatpush_wire::partition::Partitions;
use tokio::sync::{oneshot, watch};

use crate::hub::{Epoch, Hub, Topic};

/// Topics whose connections have changed, each with the sessions that wait until the subscription follows.
pub(super) type Changes = HashMap<Topic, Vec<oneshot::Sender<Epoch>>>;

/// A handle on the subscriptions. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Subscriptions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    /// At most one entry for each topic, so the connections and their rooms bound it. A plain mutex: nothing awaits
    /// while holding it.
    changes: Mutex<Changes>,
    /// How often there was a change. In a cluster there are several that wait for one.
    changed: watch::Sender<u64>,
    /// The partitions whose subscriptions are in place.
    up: watch::Sender<Partitions>,
}

impl Subscriptions {
    /// A handle without subscriptions; `subscriber::run` makes them.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(Arc::new(Shared {
            hub,
            changes: Mutex::default(),
            changed: watch::Sender::default(),
            up: watch::Sender::default(),
        }))
    }

    /// Returns once Redis counts this daemon as a subscriber of the topic, which the hub must want. From then on
    /// every push reaches the hub. Waits while Redis is away. Returns the epoch of the
    /// subscription.
    pub(crate) async fn subscribed(&self, topic: &Topic) -> Epoch {
        loop {
            let (sender, receiver) = oneshot::channel();
            self.add_change(topic.clone(), Some(sender));
            // The sender is dropped if the connection to Redis breaks first.
            if let Ok(epoch) = receiver.await {
                return epoch;
            }
        }
    }

    /// Call this after the hub may have stopped to want the topic.
    pub(crate) fn on_left(&self, topic: Topic) {
        self.add_change(topic, None);
    }

    /// Whether all subscriptions are in place.
    pub(crate) fn is_up(&self) -> bool {
        *self.0.up.borrow() == Partitions::ALL
    }

    /// Watches the partitions whose subscriptions are in place.
    pub(crate) fn watch_up(&self) -> watch::Receiver<Partitions> {
        self.0.up.subscribe()
    }

    /// The subscriptions of these partitions are in place.
    pub(super) fn set_up(&self, partitions: Partitions) {
        self.0.up.send_modify(|up| *up = up.with(partitions));
    }

    /// They are not. Returns whether they were.
    pub(super) fn set_down(&self, partitions: Partitions) -> bool {
        self.0.up.send_if_modified(|up| {
            let before = *up;
            *up = up.without(partitions);
            *up != before
        })
    }

    /// The hub that the subscriptions follow.
    pub(super) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Takes all changes in these partitions since the last call.
    pub(super) fn take_changes(&self, partitions: Partitions) -> Changes {
        let mut changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if partitions == Partitions::ALL {
            return std::mem::take(&mut *changes);
        }
        changes.extract_if(|topic, _| partitions.contains(topic.partition())).collect()
    }

    /// Watches how often there was a change, in any partition.
    pub(super) fn watch_changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn add_change(&self, topic: Topic, waiting: Option<oneshot::Sender<Epoch>>) {
        let mut changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.entry(topic).or_default().extend(waiting);
        drop(changes);
        self.0.changed.send_modify(|changes| *changes += 1);
    }
}
