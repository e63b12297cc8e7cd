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
    /// The partitions that a [`Hold`] has.
    held: watch::Sender<Partitions>,
}

/// The right to subscribe for partitions. In a cluster, the connection to the master that had them may take a moment
/// to end when another one has them; what it did then would be taken for what the other one does.
#[derive(Debug)]
pub(super) struct Hold {
    subscriptions: Subscriptions,
    partitions: Partitions,
}

impl Subscriptions {
    /// A handle without subscriptions; `subscriber::run` makes them.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(Arc::new(Shared {
            hub,
            changes: Mutex::default(),
            changed: watch::Sender::default(),
            up: watch::Sender::default(),
            held: watch::Sender::default(),
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

    /// Waits until nobody else has these partitions.
    pub(super) async fn hold(&self, partitions: Partitions) -> Hold {
        let mut held = self.0.held.subscribe();
        loop {
            held.mark_unchanged();
            let is_taken = self.0.held.send_if_modified(|held| {
                let is_free = held.without(partitions) == *held;
                if is_free {
                    *held = held.with(partitions);
                }
                is_free
            });
            if is_taken {
                return Hold { subscriptions: self.clone(), partitions };
            }
            // The sender lives as long as the subscriptions.
            let _ = held.changed().await;
        }
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

impl Hold {
    /// The partitions.
    pub(super) const fn partitions(&self) -> Partitions {
        self.partitions
    }

    /// Their subscriptions are in place.
    pub(super) fn set_up(&self) {
        self.subscriptions.0.up.send_modify(|up| *up = up.with(self.partitions));
    }

    /// They are not. Returns whether they were.
    pub(super) fn set_down(&self) -> bool {
        self.subscriptions.0.up.send_if_modified(|up| {
            let before = *up;
            *up = up.without(self.partitions);
            *up != before
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.set_down();
        self.subscriptions.0.held.send_modify(|held| *held = held.without(self.partitions));
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::partition::Partition;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::hub::Bounds;

    fn partitions(numbers: &[u8]) -> Partitions {
        numbers.iter().filter_map(|number| Partition::new(*number)).collect()
    }

    #[test]
    fn one_at_a_time_has_a_partition() {
        let bounds = Bounds { frames: 1, bytes: 1, total: 1 };
        let subscriptions = Subscriptions::new(Arc::new(Hub::new(bounds)));
        let up = || *subscriptions.0.up.borrow();
        let of_old = subscriptions.hold(partitions(&[1, 2])).now_or_never().expect("they are free");
        of_old.set_up();
        let of_new = subscriptions.hold(partitions(&[2, 3]));
        tokio::pin!(of_new);
        assert!(of_new.as_mut().now_or_never().is_none());
        let others = subscriptions.hold(partitions(&[4])).now_or_never().expect("it is free");
        others.set_up();
        assert_eq!(up(), partitions(&[1, 2, 4]));
        drop(of_old);
        assert_eq!(up(), partitions(&[4]));
        let of_new = of_new.now_or_never().expect("they are free");
        of_new.set_up();
        assert_eq!(up(), partitions(&[2, 3, 4]));
        assert!(others.set_down() && !others.set_down());
        assert_eq!(up(), partitions(&[2, 3]));
    }
}
