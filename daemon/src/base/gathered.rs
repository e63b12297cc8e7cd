//! Items that gather until they are recorded, each once.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, Failure};

/// Most items that wait. Further ones are not kept.
const WAITING: usize = 100_000;

/// How long items gather.
const GATHER: Duration = Duration::from_millis(50);

/// The items that wait.
#[derive(Debug)]
pub(crate) struct Gathered<T> {
    /// A plain mutex: nothing awaits while holding it.
    items: Mutex<BTreeSet<T>>,
    changed: Notify,
}

impl<T: Ord + Clone> Gathered<T> {
    /// Adds an item, unless too many wait.
    pub(crate) fn add(&self, item: &T) {
        let mut items = self.items();
        if items.len() < WAITING {
            items.insert(item.clone());
            drop(items);
            self.changed.notify_one();
        }
    }

    /// Waits until items have gathered, or `stop` is cancelled.
    pub(crate) async fn wait(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.changed.notified() => sleep(GATHER).await,
            () = stop.cancelled() => {}
        }
    }

    /// The first items, at most `most`; none if nothing waits. They stay until they are recorded.
    pub(crate) fn first(&self, most: usize) -> Option<Vec<T>> {
        let first: Vec<_> = self.items().iter().take(most).cloned().collect();
        Some(first).filter(|items| !items.is_empty())
    }

    /// Removes items that were recorded; waits if they were not. False: that failed while `stop` is cancelled, so the
    /// task ends.
    pub(crate) async fn settle(
        &self,
        items: &[T],
        recorded: Result<(), impl Failure>,
        backoff: &mut Backoff,
        stop: &CancellationToken,
    ) -> bool {
        match recorded {
            Ok(()) => {
                backoff.recovered();
                self.remove(items);
            }
            Err(_) if stop.is_cancelled() => return false,
            Err(error) => backoff.failed(&error).await,
        }
        true
    }

    fn remove(&self, done: &[T]) {
        let mut items = self.items();
        for item in done {
            items.remove(item);
        }
    }

    fn items(&self) -> MutexGuard<'_, BTreeSet<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self { items: Mutex::default(), changed: Notify::new() }
    }
}
