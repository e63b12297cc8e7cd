//! The receivers of new rows of the message table.
//!
//! Nothing of a user must be known before they may be due. So most are looked at then, for the first time: many have got
//! their messages by then. Whoever is connected is looked at soon, since the time counts from the end of the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use chatpush_wire::id::UserId;

use super::NotifyError;
use super::judgement::CONNECTED_INTERVAL;
use crate::base::clock::milliseconds;
use crate::broker::presence;
use crate::config::When;
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::{NewReceiver, NewRow};

/// Notes receivers in one look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receivers<'a> {
    services: &'a Services,
    store: &'a Store,
    /// Who was noted in this look.
    noted: &'a BTreeSet<UserId>,
}

impl<'a> Receivers<'a> {
    pub(super) const fn new(services: &'a Services, store: &'a Store, noted: &'a BTreeSet<UserId>) -> Self {
        Self { services, store, noted }
    }

    /// Notes the receivers of rows with keys in this range, at most `limit`, and returns the rows.
    pub(super) async fn note(
        &self,
        keys: &RangeInclusive<u64>,
        limit: u32,
    ) -> Result<Vec<NewRow>, NotifyError> {
        let (rows, now) = self.store.scan_receivers(keys, limit).await?;
        let Some(notify) = self.services.config.notify else { return Ok(rows) };
        let mut waiting = first_times(&rows, now);
        waiting.retain(|user, _| !self.noted.contains(*user));
        let mut online = BTreeSet::new();
        if notify.when == When::Unread {
            // It counts from when it was found.
            for time in waiting.values_mut() {
                *time = now;
            }
        } else {
            let users: Vec<_> = waiting.keys().map(|user| (*user).clone()).collect();
            let found = presence::online(&self.services.commands, &self.services.prefix, &users).await?;
            online.extend(found.into_iter().filter_map(|(user, is_online)| is_online.then_some(user)));
        }
        let users: Vec<_> = waiting
            .into_iter()
            .map(|(user, first_time)| {
                new_receiver(user, first_time, online.contains(user), (now, notify.after))
            })
            .collect();
        self.store.note_waiting(&users, now).await?;
        Ok(rows)
    }
}

/// By when the first message was accepted, for those of whom nothing is noted.
fn first_times(rows: &[NewRow], now: u64) -> BTreeMap<&UserId, u64> {
    let mut times = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.is_settled) {
        let Some(user) = &row.receiver else { continue };
        // The time of a row may be missing, or of another zone, hours ahead. It is cut to seconds.
        let time = row.seconds.saturating_mul(1_000);
        let time = if time == 0 { now } else { now.min(time.saturating_add(999)) };
        times.entry(user).and_modify(|first: &mut u64| *first = time.min(*first)).or_insert(time);
    }
    times
}

fn new_receiver(
    user: &UserId,
    first_time: u64,
    is_connected: bool,
    (now, after): (u64, Duration),
) -> NewReceiver {
    let check_at =
        if is_connected { now + milliseconds(CONNECTED_INTERVAL) } else { first_time + milliseconds(after) };
    NewReceiver { user: user.clone(), check_at, is_connected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_500;

    fn row(user: u32, seconds: u64, is_settled: bool) -> NewRow {
        NewRow { key: 1, receiver: Some(UserId::try_from(i64::from(user)).unwrap()), seconds, is_settled }
    }

    #[test]
    fn the_first_message_of_each_counts() {
        let rows = [
            row(1, 990, false),
            row(2, 999, false),
            row(1, 980, false),
            row(3, 1, true),
            row(4, 1_000, false),
        ];
        let nobody = NewRow { receiver: None, ..row(5, 1, false) };
        let rows: Vec<_> = rows.into_iter().chain([nobody]).collect();
        let times: Vec<_> =
            first_times(&rows, NOW).into_iter().map(|(user, time)| (user.to_string(), time)).collect();
        let expected = [("1", 980_999), ("2", 999_999), ("4", NOW)];
        assert_eq!(times, expected.map(|(user, time)| (user.to_owned(), time)));
    }

    #[test]
    fn a_time_that_cannot_be_is_now() {
        for seconds in [0, 1_001, u64::MAX] {
            assert_eq!(first_times(&[row(1, seconds, false)], NOW).into_values().collect::<Vec<_>>(), [NOW]);
        }
    }

    #[test]
    fn who_is_not_connected_is_looked_at_when_they_may_be_due() {
        let user = UserId::try_from(7).unwrap();
        let check_at = |is_connected| {
            new_receiver(&user, NOW - 9, is_connected, (NOW, Duration::from_secs(60))).check_at
        };
        assert_eq!((check_at(false), check_at(true)), (NOW - 9 + 60_000, NOW + 2_000));
    }
}
