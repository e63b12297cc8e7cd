//! What is settled for some browsers of a user, while others are still to be tried. It is remembered until the whole is
//! recorded, so that no browser is sent the same twice, unless the daemon ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatpush_wire::id::UserId;

/// Most browsers that are remembered. Beyond it some may be told twice, and show it once.
const BROWSERS: usize = 10_000;

/// Since when a user is due: the same in every lease, and another one when the user is due again.
type Due = (UserId, u64);

/// Cloning is shallow. A plain mutex: nothing awaits while holding it.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    /// By endpoint: whether its push service has accepted; if not, it never does.
    due: HashMap<Due, HashMap<String, bool>>,
    browsers: usize,
}

impl Settled {
    /// What is settled for the browsers of a user who is due.
    pub(super) fn of(&self, user: &UserId, due_at: u64) -> HashMap<String, bool> {
        self.lock().due.get(&(user.clone(), due_at)).cloned().unwrap_or_default()
    }

    /// It is settled for a browser: its push service has accepted, or never does.
    pub(super) fn add(&self, user: &UserId, due_at: u64, endpoint: &str, accepted: bool) {
        let mut remembered = self.lock();
        if remembered.browsers >= BROWSERS {
            *remembered = Remembered::default();
        }
        let browsers = remembered.due.entry((user.clone(), due_at)).or_default();
        if browsers.insert(endpoint.to_owned(), accepted).is_none() {
            remembered.browsers += 1;
        }
    }

    /// It is recorded for the user, or begins anew.
    pub(super) fn forget(&self, user: &UserId, due_at: u64) {
        let mut remembered = self.lock();
        let forgotten = remembered.due.remove(&(user.clone(), due_at)).map_or(0, |browsers| browsers.len());
        remembered.browsers -= forgotten;
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_remembered_until_it_is_recorded() {
        let settled = Settled::default();
        let [ann, bob] = [7, 8].map(|id| UserId::try_from(id).unwrap());
        settled.add(&ann, 1, "a", true);
        settled.add(&ann, 1, "b", false);
        settled.add(&bob, 1, "c", true);
        let of_ann = HashMap::from([("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(settled.of(&ann, 1), of_ann);
        assert!(settled.of(&ann, 2).is_empty(), "she is due again");
        settled.forget(&ann, 1);
        settled.forget(&ann, 1);
        assert!(settled.of(&ann, 1).is_empty() && settled.of(&bob, 1).len() == 1);
    }

    #[test]
    fn little_is_remembered() {
        let settled = Settled::default();
        let user = UserId::try_from(7).unwrap();
        for due_at in 0..=2 * BROWSERS as u64 {
            settled.add(&user, due_at, "a", true);
            settled.add(&user, due_at, "a", true);
        }
        assert!(settled.lock().due.len() <= BROWSERS);
        assert_eq!(settled.of(&user, 2 * BROWSERS as u64).len(), 1);
    }
}
