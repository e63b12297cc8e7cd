//! Whether a stored message has arrived for a user since a certain moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::UserId;

/// Counts the arrivals of users who are watched, and of no others.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<UserId, u64>>);

impl Arrivals {
    /// Watches a user, and returns how many stored messages have arrived since they are watched.
    pub(crate) fn watch(&self, user: UserId) -> u64 {
        *self.counts().entry(user).or_default()
    }

    /// Watches a user no longer.
    pub(crate) fn forget(&self, user: UserId) {
        self.counts().remove(&user);
    }

    /// A stored message of this user has arrived.
    pub(crate) fn note(&self, user: UserId) {
        if let Some(count) = self.counts().get_mut(&user) {
            *count += 1;
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
