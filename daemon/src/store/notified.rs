//! Whom somebody is to be told about. Every change is a transaction of its own, and may be repeated.

mod search;
mod telling;
mod undelivered;
mod unread;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use mysql_async::Row;
use mysql_async::prelude::{FromRow, FromValue};

use super::error::UnavailableCause;
use super::rows::positions;
use super::statements::notified::Connection;
use super::statements::{counter, notified, position};
use super::{Store, StoreError};
use crate::base::clock::milliseconds;
use crate::config::When;
use crate::log::position::Position;

pub(crate) use self::search::{NewReceiver, NewRow, Scanned};
pub(crate) use self::telling::{Content, Newest, Waiting};
pub(crate) use self::undelivered::Undelivered;
pub(crate) use super::statements::notified::Exit;

/// A user of whom somebody may have to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The user.
    pub(crate) user: UserId,
    /// The time for which the row was found: the user is looked at, or due, from then on.
    pub(crate) at: u64,
    /// Since when something may wait.
    pub(crate) since: u64,
    /// The end of the last connection, as far as it is known: at most that. The same as `at` if the user was connected at
    /// the last look.
    pub(crate) connected_at: Option<u64>,
    /// Since when the user is due, if that is so.
    pub(crate) due_at: u64,
    /// How often it was tried to tell somebody.
    pub(crate) tries: u32,
    /// When that has failed first.
    pub(crate) tried_at: Option<u64>,
    /// Whether somebody was told, at `at`.
    pub(crate) is_told: bool,
}

/// What was found of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing waits.
    Nothing,
    /// Connected.
    Connected {
        /// When to look again.
        look_at: u64,
    },
    /// Connected at the last look, and not any more.
    Left {
        /// When to look again.
        look_at: u64,
    },
    /// What was accepted for the user is not in MySQL yet, so nobody knows.
    Unknown {
        /// When to look again.
        look_at: u64,
    },
    /// Not due yet.
    Later {
        /// When to look again.
        look_at: u64,
    },
    /// Due.
    Due,
    /// Has come back since somebody was told, and something waits again.
    Returned,
}

/// When the oldest message was accepted that waits for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstTime {
    /// In milliseconds since 1970; 0 if that is not known.
    pub(crate) at: u64,
    /// Whether chatpush has stored it. The time of a row of the application is its own, and may be any.
    pub(crate) is_own: bool,
}

impl From<i64> for FirstTime {
    /// From the column of [`notified::first_times`].
    fn from(time: i64) -> Self {
        Self { at: time.unsigned_abs(), is_own: time > 0 }
    }
}

/// Users in one statement that looks for what waits for each of them. It reads up to three rows for each: not more than
/// twice as many as users are taken together.
const STATEMENT_USERS: usize = 60;

/// How soon a user is looked at again who could not be forgotten, in milliseconds.
const STAYED_MS: u64 = 1_000;

/// The longest lease that PHP can ask for, and the longest pause of a push service, in milliseconds.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;

/// How much further ahead a time is when MySQL's clock was wrong, in milliseconds.
const MARGIN_MS: u64 = 60 * 1_000;

impl Store {
    /// The time of MySQL's clock, in milliseconds since 1970. Daemons may have clocks that differ.
    pub(crate) async fn now(&self) -> Result<u64, StoreError> {
        time(self.read_one(notified::NOW.to_owned()).await?)
    }

    /// Users of whom somebody was told, longest ago first, behind `after`, at most `limit`.
    pub(crate) async fn told(
        &self,
        after: Option<&Candidate>,
        limit: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let after = after.map(|candidate| (&candidate.user, candidate.at));
        let rows = self.read_one(notified::select_told(after, limit)).await?;
        let told = self.candidates(rows).into_iter();
        Ok(told.map(|candidate| Candidate { is_told: true, ..candidate }).collect())
    }

    /// Forgets users of whom somebody was told and for whom nothing waits, unless that has changed.
    pub(crate) async fn forget_told(&self, told: &[&Candidate]) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = told.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        self.delete("told_at", &at).await
    }

    /// Looks at users again of whom somebody was told, unless that has changed.
    pub(crate) async fn tell_again(&self, told: &[&Candidate], now: u64) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = told.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        self.change(&[notified::tell_again(&at, now)]).await.map(drop)
    }

    /// Forgets users for whom nothing waits, whose column still holds what was read. Where unread messages count,
    /// whoever has some by now stays, and so does a user whom another transaction has locked.
    async fn delete(&self, column: &str, users: &[(&UserId, u64)]) -> Result<(), StoreError> {
        let names = self.names();
        if names.notify != Some(When::Unread) {
            return self.change(&[notified::delete(column, users)]).await.map(drop);
        }
        let ids: Vec<_> = users.iter().map(|(user, _)| *user).collect();
        let counted = self.by_user::<i64>(self.read_one(counter::select(names, &ids, false)).await?);
        let (counted, uncounted): (Vec<_>, Vec<_>) =
            users.iter().copied().partition(|(user, _)| counted.contains_key(*user));
        if !counted.is_empty() {
            let rows = self.change(&[notified::select_unlocked(names, &counted)]).await?.pop();
            let unlocked = self.users(rows.unwrap_or_default());
            let read: Vec<_> = counted.into_iter().filter(|(user, _)| unlocked.contains(*user)).collect();
            if !read.is_empty() {
                self.change(&notified::delete_read(names, column, &read)).await?;
            }
        }
        if !uncounted.is_empty() {
            self.change(&[notified::delete_uncounted(names, column, &uncounted)]).await?;
        }
        Ok(())
    }

    /// Users who are to be looked at, at most `limit`.
    pub(crate) async fn to_check(&self, now: u64, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.read_one(notified::select_to_check(now, limit)).await?;
        Ok(self.candidates(rows))
    }

    /// When the oldest message that waits for each of these users was accepted. Who has none is not in it. Returns
    /// the positions of the server.
    pub(crate) async fn first_times(
        &self,
        users: &[&UserId],
        times: &mut HashMap<UserId, FirstTime>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        let tables = self.tables().await?;
        let queries = users.chunks(STATEMENT_USERS).map(|users| notified::first_times(&tables, users));
        let mut found: HashMap<UserId, i64> = HashMap::new();
        let reached = self.read_for_each(queries.collect(), &mut found).await?;
        times.extend(found.into_iter().map(|(user, time)| (user, FirstTime::from(time))));
        Ok(reached)
    }

    /// The unread counters of these users; those without a row are not in it. Returns the positions of the server.
    pub(crate) async fn unread_of_each(
        &self,
        users: &[&UserId],
        counters: &mut HashMap<UserId, u64>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        let mut found: HashMap<UserId, i64> = HashMap::new();
        let queries = vec![counter::select(self.names(), users, false)];
        let reached = self.read_for_each(queries, &mut found).await?;
        counters.extend(found.into_iter().map(|(user, count)| (user, u64::try_from(count).unwrap_or(0))));
        Ok(reached)
    }

    /// The positions are read first, so what is found is not older.
    async fn read_for_each<T: FromValue>(
        &self,
        mut queries: Vec<String>,
        found: &mut HashMap<UserId, T>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        queries.insert(0, position::select());
        let mut results = self.read(&queries).await?.into_iter();
        let reached = positions(results.next().unwrap_or_default())?.into_iter().collect();
        found.extend(results.flat_map(|rows| self.by_user(rows)));
        Ok(reached)
    }

    /// Records what was found of users, unless it has changed since.
    pub(crate) async fn record_verdicts(
        &self,
        verdicts: &[(Candidate, Verdict)],
        now: u64,
    ) -> Result<(), StoreError> {
        let of = |wanted: fn(&Verdict) -> bool| {
            let found = verdicts.iter().filter(move |(_, verdict)| wanted(verdict));
            found.map(|(candidate, _)| (&candidate.user, candidate.at)).collect::<Vec<_>>()
        };
        let mut later = Vec::new();
        let (mut connected, mut left) = (Vec::new(), Vec::new());
        for (candidate, verdict) in verdicts {
            let at = (&candidate.user, candidate.at);
            match verdict {
                Verdict::Connected { look_at } => connected.push((at, *look_at)),
                Verdict::Left { look_at } => left.push((at, *look_at)),
                Verdict::Later { look_at } | Verdict::Unknown { look_at } => later.push((at, *look_at)),
                Verdict::Nothing | Verdict::Due | Verdict::Returned => {}
            }
        }
        let mut statements = Vec::new();
        if !connected.is_empty() {
            statements.push(notified::check_later(&connected, Connection::Open));
        }
        if !left.is_empty() {
            statements.push(notified::check_later(&left, Connection::EndedBy(now)));
        }
        if !later.is_empty() {
            statements.push(notified::check_later(&later, Connection::None));
        }
        let due = of(|verdict| matches!(verdict, Verdict::Due));
        let web_push = self.names().web_push;
        if !due.is_empty() && self.names().notify == Some(When::Unread) {
            let due = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Due));
            let due: Vec<_> = due.map(|(candidate, _)| (&candidate.user, candidate.since)).collect();
            statements.push(notified::offer_unread(&due, now, web_push));
        } else if !due.is_empty() {
            statements.push(notified::offer(&due, now, web_push));
        }
        if !statements.is_empty() {
            self.change(&statements).await?;
        }
        let nothing = of(|verdict| matches!(verdict, Verdict::Nothing));
        if nothing.is_empty() {
            return Ok(());
        }
        let deleted = self.delete("check_at", &nothing).await;
        if self.names().notify == Some(When::Unread) {
            // Whoever has stayed makes room for others.
            let stayed: Vec<_> = nothing.into_iter().map(|at| (at, now + STAYED_MS)).collect();
            self.change(&[notified::check_later(&stayed, Connection::None)]).await?;
        }
        deleted
    }

    /// Looks at users, or offers them, whose times are further ahead than they are ever put.
    pub(crate) async fn bring_back(&self, now: u64, after: Duration) -> Result<(), StoreError> {
        let looked_at = now.saturating_add(milliseconds(after)).saturating_add(MARGIN_MS);
        let offered = now.saturating_add(LONGEST_MS).saturating_add(MARGIN_MS);
        self.change(&notified::bring_back(now, looked_at, offered)).await.map(drop)
    }

    /// Those of these users of whom anything is noted.
    pub(crate) async fn noted(&self, users: &[UserId]) -> Result<BTreeSet<UserId>, StoreError> {
        let users: Vec<_> = users.iter().collect();
        Ok(self.users(self.read_one(notified::select_noted(&users)).await?))
    }

    /// Users have connected, and are looked at again at a time. Of `again` it is known only now that they had connected,
    /// and when: whoever of them has become due since stays so.
    pub(crate) async fn record_connected(
        &self,
        users: &[&UserId],
        again: &[(&UserId, u64)],
        now: u64,
        look_at: u64,
    ) -> Result<(), StoreError> {
        let mut statements = Vec::new();
        if !users.is_empty() {
            statements.push(notified::seen(users, now, look_at));
        }
        if !again.is_empty() {
            statements.push(notified::seen_at(again, now, look_at));
        }
        self.change(&statements).await.map(drop)
    }

    async fn read_one(&self, query: String) -> Result<Vec<Row>, StoreError> {
        Ok(self.read(&[query]).await?.into_iter().next().unwrap_or_default())
    }

    fn candidates(&self, rows: Vec<Row>) -> Vec<Candidate> {
        let ids = self.names().user_id_type;
        all::<(String, u64, Option<u64>, Option<u64>, Option<u64>, u32, Option<u64>)>(rows)
            .filter_map(|(user, at, since, connected_at, due_at, tries, tried_at)| {
                let (user, since, due_at) =
                    (ids.text(&user).ok()?, since.unwrap_or(at), due_at.unwrap_or(at));
                Some(Candidate { user, at, since, connected_at, due_at, tries, tried_at, is_told: false })
            })
            .collect()
    }

    /// Users, from rows that hold nothing else.
    fn users(&self, rows: Vec<Row>) -> BTreeSet<UserId> {
        let ids = self.names().user_id_type;
        all::<String>(rows).filter_map(|user| ids.text(&user).ok()).collect()
    }

    fn by_user<T: FromValue>(&self, rows: Vec<Row>) -> HashMap<UserId, T> {
        let ids = self.names().user_id_type;
        all::<(String, T)>(rows).filter_map(|(user, value)| Some((ids.text(&user).ok()?, value))).collect()
    }
}

/// The time, from the row of [`notified::NOW`].
fn time(rows: Vec<Row>) -> Result<u64, StoreError> {
    all::<u64>(rows).next().ok_or(StoreError::Unavailable(UnavailableCause::Column("now")))
}

/// The rows that hold what is expected.
fn all<T: FromRow>(rows: Vec<Row>) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok())
}
