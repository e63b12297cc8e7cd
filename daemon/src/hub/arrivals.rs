//! Whether a stored message has arrived for a user since a certain moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::UserId;

/// Counts the arrivals of users who are watched, and of no others.
#[derive(Debug, Default)]
pub(crate) struct Arrivals(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_user: HashMap<UserId, u64>,
    /// How often a user was watched anew. Each time the count begins with another number, so that it is never taken
    /// for one from before.
    watches: u64,
}

/// More than arrive while a user is watched.
const FIRST_COUNT: u64 = 1 << 32;

impl Arrivals {
    /// Watches a user, and returns a number that grows with each stored message that arrives for them, and is another
    /// one after [`Arrivals::forget`].
    pub(crate) fn watch(&self, user: &UserId) -> u64 {
        let Counts { by_user, watches } = &mut *self.counts();
        *by_user.entry(user.clone()).or_insert_with(|| {
            *watches += 1;
            watches.wrapping_mul(FIRST_COUNT)
        })
    }

    /// Watches a user no longer.
    pub(crate) fn forget(&self, user: &UserId) {
        self.counts().by_user.remove(user);
    }

    /// A stored message of this user has arrived.
    pub(crate) fn note(&self, user: &UserId) {
        if let Some(count) = self.counts().by_user.get_mut(user) {
            *count += 1;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
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
        let begin = [&one, &other].map(|user| arrivals.watch(user));
        arrivals.note(&one);
        assert_eq!([&one, &other].map(|user| arrivals.watch(user)), [begin[0] + 1, begin[1]]);
        arrivals.forget(&one);
        let again = arrivals.watch(&one);
        assert_ne!(again, begin[0]);
        arrivals.note(&one);
        assert_ne!(arrivals.watch(&one), begin[0] + 1, "it is never taken for a count from before");
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
