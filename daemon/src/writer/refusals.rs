//! Entries that meet an error again and again although they are tried alone. Whatever the error, they must
//! not stop the entries behind them. And a failure that all meet must set none aside: an entry is given up
//! only if others of its kind succeed.
//!
//! It outlives a term: an entry may end the term each time it is tried.

use std::collections::{BTreeSet, HashMap};
use std::mem::Discriminant;
use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use crate::log::batch::LogEntry;
use crate::log::position::Position;
use crate::store::error::Treatment;

/// How often an entry is tried at least, and for how long. The cause may pass: a table that is being
/// replaced, a trigger that is being corrected.
const MIN_TRIES: u32 = 8;
const MIN_TIME: Duration = Duration::from_secs(4);

/// The same for an error that as a rule has other reasons than the entry: a conflict, a full disk.
const MIN_TRIES_LAST: u32 = 100;
const MIN_TIME_LAST: Duration = Duration::from_secs(60);

/// The same for an entry that takes too long. Each try stops the others for that time.
const MIN_TRIES_SLOW: u32 = 3;

/// How long after an entry was given up others with the same error are given up at their first try. They
/// would each stop their partition for [`MIN_TIME`].
const SAME_ERROR_TIME: Duration = Duration::from_secs(60);

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try it again later. The entries behind it have to wait, to keep the order.
    TryAgain,
    /// It was tried often enough, that many times. It is the reason for the error if others succeed.
    GiveUp(u32),
}

/// The entries that were refused, at most one for each partition, and what shows whether others succeed.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    waiting: HashMap<Partition, Tried>,
    /// Those that are tried for some of their receivers, because MySQL refuses them for others.
    parts: HashMap<Partition, Tried>,
    /// The errors of the entries that were given up.
    given_up: HashMap<u16, Instant>,
    /// When an entry of each kind was committed last.
    committed: HashMap<Discriminant<Entry>, Instant>,
    /// The partitions of the last transaction that could not be ended: one has the reason.
    suspected: BTreeSet<Partition>,
    /// Those with an entry that could not be ended when it was tried alone.
    stuck: BTreeSet<Partition>,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    position: Position,
    code: u16,
    tries: u32,
    since: Instant,
}

impl Tried {
    /// Counts one more try, or the first one of `new` if that is something else. True if that is often enough
    /// for an error that is treated like this.
    fn again(&mut self, new: Self, treatment: Treatment) -> bool {
        let (min_tries, min_time) = match treatment {
            Treatment::Suspect => (MIN_TRIES, MIN_TIME),
            Treatment::SuspectLast => (MIN_TRIES_LAST, MIN_TIME_LAST),
            Treatment::SuspectSlow => (MIN_TRIES_SLOW, MIN_TIME),
            Treatment::Wait | Treatment::End => return false,
        };
        if (self.position, self.code) != (new.position, new.code) {
            *self = new;
        }
        self.tries = self.tries.saturating_add(1);
        self.tries >= min_tries && new.since - self.since >= min_time
    }
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
        let now = Instant::now();
        let new = Tried { position, code, tries: 0, since: now };
        let tried = self.waiting.entry(partition).or_insert(new);
        let known = treatment == Treatment::Suspect
            && self.given_up.get(&code).is_some_and(|at| now - *at < SAME_ERROR_TIME);
        let enough = tried.again(new, treatment);
        if known || enough { Verdict::GiveUp(tried.tries) } else { Verdict::TryAgain }
    }

    /// Records that the entry at `position` met an error when it was tried for some of its receivers. Which
    /// error does not matter: with many receivers it may be another one each time.
    pub(super) fn part_refused(
        &mut self,
        partition: Partition,
        position: Position,
        treatment: Treatment,
    ) -> Verdict {
        let new = Tried { position, code: 0, tries: 0, since: Instant::now() };
        let tried = self.parts.entry(partition).or_insert(new);
        if tried.again(new, treatment) { Verdict::GiveUp(tried.tries) } else { Verdict::TryAgain }
    }

    /// Records that the entry of this partition that was refused last was given up because of the error
    /// `code`.
    pub(super) fn given_up(&mut self, partition: Partition, code: u16) {
        let now = Instant::now();
        self.waiting.remove(&partition);
        self.given_up.retain(|_, at| now - *at < SAME_ERROR_TIME);
        self.given_up.insert(code, now);
    }

    /// Records that entries were committed.
    pub(super) fn committed(&mut self, entries: &[LogEntry]) {
        let now = Instant::now();
        let kinds =
            entries.iter().filter_map(|logged| logged.entry.as_ref().ok()).map(std::mem::discriminant);
        self.committed.extend(kinds.map(|kind| (kind, now)));
    }

    /// Whether another entry of the same kind was committed since the entry of this partition was first
    /// refused.
    pub(super) fn others_succeeded(&self, partition: Partition, entry: &Entry) -> bool {
        let committed = self.committed.get(&std::mem::discriminant(entry));
        let tried = self.waiting.get(&partition);
        committed.zip(tried).is_some_and(|(at, tried)| *at > tried.since)
    }

    /// Records that the transaction of these entries could not be ended. Their partitions are tried alone in
    /// the next term.
    pub(super) fn stuck(&mut self, entries: &[LogEntry]) {
        self.suspected.clear();
        if let [logged] = entries {
            self.stuck.insert(logged.partition);
            self.refused(logged.partition, logged.position, 0, Treatment::SuspectSlow);
        } else {
            self.suspected.extend(entries.iter().map(|logged| logged.partition));
        }
    }

    /// Whether the entries of a partition have to be tried one by one.
    pub(super) fn suspects(&self, partition: Partition) -> bool {
        self.suspected.contains(&partition) || self.is_stuck(partition)
    }

    /// Whether a partition has an entry that could not be ended. It is tried after all others.
    pub(super) fn is_stuck(&self, partition: Partition) -> bool {
        self.stuck.contains(&partition)
    }

    /// How often an entry was tried that cannot be ended, if that is often enough.
    pub(super) fn stuck_tries(&self, logged: &LogEntry) -> Option<u32> {
        let tried = self.waiting.get(&logged.partition)?;
        let same = self.is_stuck(logged.partition) && (tried.position, tried.code) == (logged.position, 0);
        (same && tried.tries >= MIN_TRIES_SLOW).then_some(tried.tries)
    }

    /// Records that the entries that were read of a partition are applied.
    pub(super) fn applied(&mut self, partition: Partition) {
        self.suspected.remove(&partition);
        self.stuck.remove(&partition);
        self.parts.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::id::UserId;

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
        assert_eq!(last(), Verdict::GiveUp(MIN_TRIES_LAST + 1), "until it is given up");
        let mut locked = || refusals.refused(partition, position, 1205, Treatment::Wait);
        assert!((0..1_000).all(|_| locked() == Verdict::TryAgain), "a lock is waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_an_entry_is_given_up_whatever_its_errors_are() {
        let partition = Partition::new(3).unwrap();
        let mut refusals = Refusals::default();
        let mut refused = |position: &str, treatment| {
            refusals.part_refused(partition, position.parse().unwrap(), treatment)
        };
        assert_eq!(refused("5-0", Treatment::Suspect), Verdict::TryAgain);
        tokio::time::advance(MIN_TIME).await;
        assert_eq!(refused("5-0", Treatment::Wait), Verdict::TryAgain, "a lock is waited for");
        assert_eq!(refused("5-0", Treatment::SuspectLast), Verdict::TryAgain);
        assert_eq!(refused("5-0", Treatment::SuspectSlow), Verdict::GiveUp(3));
        assert_eq!(refused("6-0", Treatment::SuspectSlow), Verdict::TryAgain, "another entry");
    }

    #[tokio::test(start_paused = true)]
    async fn others_with_the_same_error_are_given_up_at_once_for_a_while() {
        let (one, other) = (Partition::new(3).unwrap(), Partition::new(4).unwrap());
        let position: Position = "5-0".parse().unwrap();
        let mut refusals = Refusals::default();
        refusals.given_up(one, 1242);
        assert_eq!(refusals.refused(one, position, 1242, Treatment::Suspect), Verdict::GiveUp(1));
        tokio::time::advance(SAME_ERROR_TIME).await;
        assert_eq!(refusals.refused(other, position, 1242, Treatment::Suspect), Verdict::TryAgain);
    }

    fn logged(partition: u8, entry: Entry) -> LogEntry {
        let partition = Partition::new(partition).unwrap();
        LogEntry { partition, position: "5-0".parse().unwrap(), entry: Ok(entry), fields: Vec::new() }
    }

    fn clear() -> Entry {
        Entry::Clear { receiver: UserId::try_from(2).unwrap(), conversation: None, reply_to: None }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_later_commit_of_the_same_kind_shows_that_others_succeed() {
        let (failing, other) = (logged(3, clear()), logged(4, clear()));
        let ack = logged(5, Entry::ClientAck { receiver: UserId::try_from(2).unwrap(), ids: Vec::new() });
        let mut refusals = Refusals::default();
        refusals.committed(std::slice::from_ref(&other));
        refusals.refused(failing.partition, failing.position, 1242, Treatment::Suspect);
        assert!(!refusals.others_succeeded(failing.partition, &clear()), "it was before");
        tokio::time::advance(Duration::from_secs(1)).await;
        refusals.committed(std::slice::from_ref(&ack));
        assert!(!refusals.others_succeeded(failing.partition, &clear()), "of another kind");
        refusals.committed(std::slice::from_ref(&other));
        assert!(refusals.others_succeeded(failing.partition, &clear()));
    }

    #[test]
    fn a_transaction_that_cannot_be_ended_is_traced_to_one_entry() {
        let entries = [logged(3, clear()), logged(4, clear())];
        let [one, other] = [entries[0].partition, entries[1].partition];
        let mut refusals = Refusals::default();
        refusals.stuck(&entries);
        assert!(refusals.suspects(one) && refusals.suspects(other) && !refusals.is_stuck(one));
        for tries in 1..=MIN_TRIES_SLOW {
            assert_eq!(refusals.stuck_tries(&entries[0]), None, "{tries}");
            refusals.stuck(&entries[..1]);
            assert!(refusals.suspects(one) && refusals.is_stuck(one) && !refusals.suspects(other));
        }
        assert_eq!(refusals.stuck_tries(&entries[0]), Some(MIN_TRIES_SLOW));
        refusals.applied(one);
        assert!(!refusals.suspects(one) && refusals.stuck_tries(&entries[0]).is_none());
    }
}
