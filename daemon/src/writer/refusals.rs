//! Entries that MySQL refuses with an error that this version does not know. Whatever the error, an entry that
//! meets it again and again must not stop the entries behind it.

use std::collections::HashMap;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use crate::log::position::Position;

/// How often an entry is tried at least, and for how long. The cause may pass: a table that is being replaced,
/// a trigger that is being corrected.
const MIN_TRIES: u32 = 8;
const MIN_TIME: Duration = Duration::from_secs(4);

/// How long after an entry was given up others with the same error are given up at once. They would each stop
/// their partition for [`MIN_TIME`].
const SAME_ERROR_TIME: Duration = Duration::from_secs(60);

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try it again later. The entries behind it have to wait, to keep the order.
    TryAgain,
    /// It is the reason for the error. It was tried that many times.
    GiveUp(u32),
}

/// The entries that were refused, at most one for each partition, and the errors of those given up.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    waiting: HashMap<Partition, Tried>,
    given_up: HashMap<u16, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    position: Position,
    code: u16,
    tries: u32,
    since: Instant,
}

impl Refusals {
    /// Records that the entry at `position` met the error `code`.
    pub(super) fn refused(&mut self, partition: Partition, position: Position, code: u16) -> Verdict {
        let now = Instant::now();
        let new = Tried { position, code, tries: 0, since: now };
        let tried = self.waiting.entry(partition).or_insert(new);
        if (tried.position, tried.code) != (position, code) {
            *tried = new;
        }
        tried.tries += 1;
        let known = self.given_up.get(&code).is_some_and(|at| now - *at < SAME_ERROR_TIME);
        if known || (tried.tries >= MIN_TRIES && now - tried.since >= MIN_TIME) {
            let times = tried.tries;
            self.waiting.remove(&partition);
            self.given_up.retain(|_, at| now - *at < SAME_ERROR_TIME);
            self.given_up.insert(code, now);
            return Verdict::GiveUp(times);
        }
        Verdict::TryAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_entry_is_given_up_after_enough_tries_and_time() {
        let partition = Partition::new(3).unwrap();
        let position: Position = "5-0".parse().unwrap();
        let mut refusals = Refusals::default();
        for _ in 0..20 {
            assert_eq!(refusals.refused(partition, position, 1242), Verdict::TryAgain, "it is too early");
        }
        tokio::time::advance(MIN_TIME).await;
        assert_eq!(refusals.refused(partition, position, 9999), Verdict::TryAgain, "another error");
        tokio::time::advance(MIN_TIME).await;
        for _ in 2..MIN_TRIES {
            assert_eq!(refusals.refused(partition, position, 9999), Verdict::TryAgain, "too few tries");
        }
        assert_eq!(refusals.refused(partition, position, 9999), Verdict::GiveUp(MIN_TRIES));
    }

    #[tokio::test(start_paused = true)]
    async fn others_with_the_same_error_are_given_up_at_once_for_a_while() {
        let (one, other) = (Partition::new(3).unwrap(), Partition::new(4).unwrap());
        let position: Position = "5-0".parse().unwrap();
        let mut refusals = Refusals::default();
        refusals.given_up.insert(1242, Instant::now());
        assert_eq!(refusals.refused(one, position, 1242), Verdict::GiveUp(1));
        tokio::time::advance(SAME_ERROR_TIME).await;
        assert_eq!(refusals.refused(other, position, 1242), Verdict::TryAgain);
    }
}
