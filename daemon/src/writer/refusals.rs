//! Entries that meet an error again and again although they are tried alone. Whatever the error, they must not stop
//! the entries behind them.

use std::collections::HashMap;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use crate::log::position::Position;
use crate::store::error::Treatment;

/// How often an entry is tried at least, and for how long. The cause may pass: a table that is being replaced,
/// a trigger that is being corrected.
const MIN_TRIES: u32 = 8;
const MIN_TIME: Duration = Duration::from_secs(4);

/// The same for an error that as a rule has other reasons than the entry: a conflict, a full disk.
const MIN_TRIES_LAST: u32 = 100;
const MIN_TIME_LAST: Duration = Duration::from_secs(60);

/// The same for an entry that takes too long. Each try stops the others for that time.
const MIN_TRIES_SLOW: u32 = 3;

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
    /// Records that the entry at `position` met the error `code`, which is to be treated like that.
    pub(super) fn refused(
        &mut self,
        partition: Partition,
        position: Position,
        code: u16,
        treatment: Treatment,
    ) -> Verdict {
        let (min_tries, min_time) = match treatment {
            Treatment::Suspect => (MIN_TRIES, MIN_TIME),
            Treatment::SuspectLast => (MIN_TRIES_LAST, MIN_TIME_LAST),
            Treatment::SuspectSlow => (MIN_TRIES_SLOW, MIN_TIME),
            Treatment::Wait | Treatment::End => return Verdict::TryAgain,
        };
        let now = Instant::now();
        let new = Tried { position, code, tries: 0, since: now };
        let tried = self.waiting.entry(partition).or_insert(new);
        if (tried.position, tried.code) != (position, code) {
            *tried = new;
        }
        tried.tries += 1;
        let known = treatment == Treatment::Suspect
            && self.given_up.get(&code).is_some_and(|at| now - *at < SAME_ERROR_TIME);
        if known || (tried.tries >= min_tries && now - tried.since >= min_time) {
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
            assert_eq!(
                refusals.refused(partition, position, 1242, Treatment::Suspect),
                Verdict::TryAgain,
                "it is too early"
            );
        }
        tokio::time::advance(MIN_TIME).await;
        assert_eq!(
            refusals.refused(partition, position, 9999, Treatment::Suspect),
            Verdict::TryAgain,
            "another error"
        );
        tokio::time::advance(MIN_TIME).await;
        for _ in 2..MIN_TRIES {
            assert_eq!(
                refusals.refused(partition, position, 9999, Treatment::Suspect),
                Verdict::TryAgain,
                "too few tries"
            );
        }
        assert_eq!(
            refusals.refused(partition, position, 9999, Treatment::Suspect),
            Verdict::GiveUp(MIN_TRIES)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_has_other_reasons_as_a_rule_takes_longer() {
        let partition = Partition::new(3).unwrap();
        let position: Position = "5-0".parse().unwrap();
        let mut refusals = Refusals::default();
        let mut last = || refusals.refused(partition, position, 1213, Treatment::SuspectLast);
        assert_eq!(last(), Verdict::TryAgain);
        tokio::time::advance(MIN_TIME_LAST).await;
        for _ in 2..MIN_TRIES_LAST {
            assert_eq!(last(), Verdict::TryAgain);
        }
        assert_eq!(last(), Verdict::GiveUp(MIN_TRIES_LAST));
        assert_eq!(last(), Verdict::TryAgain, "each on its own evidence");
        let mut locked = || refusals.refused(partition, position, 1205, Treatment::Wait);
        assert!((0..1_000).all(|_| locked() == Verdict::TryAgain), "a lock is waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn others_with_the_same_error_are_given_up_at_once_for_a_while() {
        let (one, other) = (Partition::new(3).unwrap(), Partition::new(4).unwrap());
        let position: Position = "5-0".parse().unwrap();
        let mut refusals = Refusals::default();
        refusals.given_up.insert(1242, Instant::now());
        assert_eq!(refusals.refused(one, position, 1242, Treatment::Suspect), Verdict::GiveUp(1));
        tokio::time::advance(SAME_ERROR_TIME).await;
        assert_eq!(refusals.refused(other, position, 1242, Treatment::Suspect), Verdict::TryAgain);
    }
}
