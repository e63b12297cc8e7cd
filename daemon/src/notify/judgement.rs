//! Whether a user is due.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::NotifyError;
use crate::barrier::Barrier;
use crate::base::clock::milliseconds;
use crate::broker::{BrokerError, log, presence};
use crate::config::{Notify, When};
use crate::log::position::Position;
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::{Candidate, FirstTime, Verdict};

/// How soon a user is looked at again who is connected although messages wait.
pub(crate) const CONNECTED_INTERVAL: Duration = Duration::from_secs(2);

/// How long an application may take from storing a message itself to counting it.
const COUNTING_TIME: Duration = Duration::from_secs(5);

/// How long what was accepted for users may take to be in MySQL. Whoever it takes longer for is looked at again.
const BARRIER_TIMEOUT: Duration = Duration::from_millis(500);

/// How soon these are looked at again.
const BEHIND_INTERVAL: Duration = Duration::from_secs(1);

/// Looks at users. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    services: Arc<Services>,
    barrier: Barrier,
    notify: Notify,
}

/// What is known of a user.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// When the oldest message was accepted that waits.
    first_time: Option<FirstTime>,
    /// The unread counter.
    unread: u64,
    /// Whether the user is connected.
    online: bool,
}

impl Judge {
    pub(super) const fn new(services: Arc<Services>, barrier: Barrier, notify: Notify) -> Self {
        Self { services, barrier, notify }
    }

    /// What is found of each of these users now. What was accepted for them before, such as a confirmation, is taken
    /// into account.
    pub(super) async fn verdicts(
        &self,
        store: &Store,
        candidates: Vec<Candidate>,
        now: u64,
    ) -> Result<Vec<(Candidate, Verdict)>, NotifyError> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let Services { commands, prefix, .. } = &*self.services;
        let users: Vec<_> = candidates.iter().map(|candidate| candidate.user.clone()).collect();
        let by_reference: Vec<_> = users.iter().collect();
        let mut online: HashMap<UserId, bool> = HashMap::new();
        if self.notify.when == When::Undelivered {
            // Presence comes first: who has connected since then has also got what waits.
            online = presence::online(commands, prefix, &users).await?.into_iter().collect();
        }
        let needed = self.barriers(&users).await?;
        let (mut first_times, mut unread) = (HashMap::new(), HashMap::new());
        let reached = match self.notify.when {
            When::Undelivered => store.first_times(&by_reference, &mut first_times).await?,
            When::Unread => store.unread_of_each(&by_reference, &mut unread).await?,
        };
        let judged = candidates.into_iter().map(|candidate| {
            let needed = needed.get(&candidate.user);
            let partition = Partition::of(&candidate.user);
            if needed.is_none_or(|needed| reached.get(&partition).is_none_or(|reached| reached < needed)) {
                return (candidate, Verdict::Unknown { look_at: now + milliseconds(BEHIND_INTERVAL) });
            }
            let known = Known {
                first_time: first_times.get(&candidate.user).copied(),
                unread: unread.get(&candidate.user).copied().unwrap_or(0),
                online: online.get(&candidate.user).copied().unwrap_or(false),
            };
            let verdict = verdict(self.notify, &candidate, known, now);
            (candidate, verdict)
        });
        Ok(judged.collect())
    }

    /// The position that a server must have reached to hold what was accepted for each user. Whoever is not in it is
    /// waited for too long.
    async fn barriers(&self, users: &[UserId]) -> Result<HashMap<UserId, Position>, BrokerError> {
        let Services { commands, prefix, .. } = &*self.services;
        let partitions: BTreeSet<_> = users.iter().map(Partition::of).collect();
        let ends = log::last_of_each(commands, prefix, partitions.iter().copied()).await?;
        let ends: HashMap<_, _> = partitions.into_iter().zip(ends).collect();
        let waits = users.iter().map(|user| {
            let end = ends.get(&Partition::of(user)).copied().unwrap_or_default();
            async move {
                timeout(BARRIER_TIMEOUT, self.barrier.wait(user, end)).await.ok().map(|at| (user.clone(), at))
            }
        });
        Ok(join_all(waits).await.into_iter().flatten().collect())
    }
}

fn verdict(Notify { when, after, .. }: Notify, candidate: &Candidate, known: Known, now: u64) -> Verdict {
    // MySQL's clock may have been ahead.
    let candidate_since = candidate.since.min(now);
    let since = match when {
        When::Undelivered => {
            let Some(FirstTime { at: first_time, is_own }) = known.first_time else {
                return Verdict::Nothing;
            };
            // A row of the application may have no time, or one of another zone, hours ahead.
            let first_time = if first_time > now { 0 } else { first_time };
            if known.online {
                return Verdict::Connected { look_at: now + milliseconds(CONNECTED_INTERVAL) };
            }
            // Somewhere between two looks.
            if candidate.connected_at == Some(candidate.at) {
                return Verdict::Left { look_at: now + milliseconds(after) };
            }
            // What somebody was told of was accepted before it was due, by the same two clocks: it was delivered.
            if candidate.is_told && is_own && first_time > candidate.at {
                return Verdict::Returned;
            }
            let first_time = if first_time == 0 { candidate_since } else { first_time };
            first_time.max(candidate.connected_at.unwrap_or(0).min(now))
        }
        When::Unread if known.unread > 0 => candidate_since,
        When::Unread => {
            let counted_at = candidate_since + milliseconds(COUNTING_TIME);
            return if now < counted_at { Verdict::Later { look_at: counted_at } } else { Verdict::Nothing };
        }
    };
    let due_at = since + milliseconds(after);
    if due_at <= now { Verdict::Due } else { Verdict::Later { look_at: due_at } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    const SETTINGS: Notify =
        Notify { when: When::Undelivered, after: Duration::from_secs(60), show_content: false };

    fn candidate(since: u64, connected_at: Option<u64>) -> Candidate {
        Candidate {
            user: UserId::try_from(7).unwrap(),
            at: NOW,
            since,
            connected_at,
            due_at: NOW,
            tries: 0,
            tried_at: None,
            is_told: false,
        }
    }

    fn judge(when: When, (since, connected_at): (u64, Option<u64>), known: Known) -> Verdict {
        verdict(Notify { when, ..SETTINGS }, &candidate(since, connected_at), known, NOW)
    }

    fn undelivered(first_time: Option<u64>, connected_at: Option<u64>, online: bool) -> Verdict {
        let first_time = first_time.map(own);
        judge(When::Undelivered, (NOW - 1_000, connected_at), Known { first_time, unread: 0, online })
    }

    fn own(at: u64) -> FirstTime {
        FirstTime { at, is_own: true }
    }

    #[test]
    fn who_has_waited_long_enough_is_due() {
        assert_eq!(undelivered(Some(NOW - 60_000), None, false), Verdict::Due);
        assert_eq!(undelivered(Some(NOW - 59_999), None, false), Verdict::Later { look_at: NOW + 1 });
        assert_eq!(undelivered(None, None, false), Verdict::Nothing);
    }

    #[test]
    fn the_time_counts_from_the_last_connection() {
        let left = Some(NOW - 10_000);
        assert_eq!(undelivered(Some(1), left, false), Verdict::Later { look_at: NOW + 50_000 });
        assert_eq!(undelivered(Some(NOW - 60_000), Some(1), false), Verdict::Due);
    }

    #[test]
    fn the_time_counts_from_now_for_who_has_left_since_the_last_look() {
        assert_eq!(undelivered(Some(1), Some(NOW), false), Verdict::Left { look_at: NOW + 60_000 });
        assert_eq!(undelivered(None, Some(NOW), false), Verdict::Nothing);
    }

    #[test]
    fn who_is_connected_is_looked_at_again() {
        assert_eq!(undelivered(Some(1), None, true), Verdict::Connected { look_at: NOW + 2_000 });
        assert_eq!(undelivered(None, None, true), Verdict::Nothing);
    }

    #[test]
    fn a_row_without_a_time_counts_from_when_it_was_found() {
        assert_eq!(undelivered(Some(0), None, false), Verdict::Later { look_at: NOW + 59_000 });
        assert_eq!(undelivered(Some(NOW * 2), None, false), Verdict::Later { look_at: NOW + 59_000 });
    }

    #[test]
    fn who_was_told_has_come_back_if_only_later_messages_wait() {
        let told = Candidate { at: NOW - 5_000, is_told: true, ..candidate(NOW - 70_000, None) };
        let of = |first_time, online| {
            verdict(SETTINGS, &told, Known { first_time: Some(first_time), unread: 0, online }, NOW)
        };
        let verdict = |at, online| of(own(at), online);
        let of_application = FirstTime { at: NOW - 4_999, is_own: false };
        assert_eq!(
            of(of_application, false),
            Verdict::Later { look_at: NOW + 55_001 },
            "its clock may be ahead"
        );
        assert_eq!(verdict(NOW - 4_999, false), Verdict::Returned);
        assert_eq!(verdict(NOW - 4_999, true), Verdict::Connected { look_at: NOW + 2_000 });
        assert_eq!(verdict(NOW - 5_000, false), Verdict::Later { look_at: NOW + 55_000 });
        assert_eq!(verdict(NOW - 65_000, false), Verdict::Due);
        for unknown in [0, NOW * 2] {
            assert_eq!(verdict(unknown, false), Verdict::Due, "its time is not known");
        }
    }

    #[test]
    fn an_open_page_does_not_read() {
        let unread = |unread, since| {
            judge(When::Unread, (since, None), Known { first_time: None, unread, online: true })
        };
        assert_eq!(unread(1, NOW - 60_000), Verdict::Due);
        assert_eq!(unread(1, NOW - 59_000), Verdict::Later { look_at: NOW + 1_000 });
        assert_eq!(unread(0, NOW - 60_000), Verdict::Nothing);
        assert_eq!(unread(0, NOW - 1_000), Verdict::Later { look_at: NOW + 4_000 }, "not counted yet");
    }
}
