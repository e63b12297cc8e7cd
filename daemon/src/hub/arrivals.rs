//! Whether a stored message has arrived for a user since a certain moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::UserId;

/// Counts the arrivals of users who are watched, and of no others.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<HashMap<UserId, u64>>);

impl Arrivals {
    /// Watches a user, and returns how many stored messages have arrived since they are watched.
    pub(crate) fn watch(&self, user: &UserId) -> u64 {
        *self.counts().entry(user.clone()).or_default()
    }

    /// Watches a user no longer.
    pub(crate) fn forget(&self, user: &UserId) {
        self.counts().remove(user);
    }

    /// A stored message of this user has arrived.
    pub(crate) fn note(&self, user: &UserId) {
        if let Some(count) = self.counts().get_mut(user) {
            *count += 1;
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hub::{Bounds, Format, Hub};

    #[test]
    fn arrivals_of_watched_users_are_counted() {
        let arrivals = Arrivals::default();
        let [one, other] = [1, 2].map(|id| UserId::try_from(id).unwrap());
        arrivals.note(&one);
        assert_eq!((arrivals.watch(&one), arrivals.watch(&other)), (0, 0));
        arrivals.note(&one);
        assert_eq!((arrivals.watch(&one), arrivals.watch(&other)), (1, 0));
        arrivals.forget(&one);
        assert_eq!(arrivals.watch(&one), 0);
    }

    /// Messages of a user without a connection do not come to this daemon.
    #[test]
    fn end_of_the_last_connection_counts_as_an_arrival() {
        let hub = Arc::new(Hub::new(Bounds { frames: 8, bytes: 1_000, total: 10_000 }));
        let user = UserId::try_from(1).unwrap();
        let [first, last] = [(); 2].map(|()| hub.register(user.clone(), Format::Json, 9).unwrap());
        let before = hub.arrivals().watch(&user);
        drop(first);
        assert_eq!(hub.arrivals().watch(&user), before);
        drop(last);
        assert_ne!(hub.arrivals().watch(&user), before);
    }
}
