//! Whom somebody is to be told about. Every change is a transaction of its own, and may be repeated.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use mysql_async::Row;
use mysql_async::prelude::{FromRow, FromValue};

use super::error::UnavailableCause;
use super::rows::{StoredRow, positions, select_last};
use super::statements::{counter, notified, position};
use super::{Store, StoreError, schema};
use crate::config::When;
use crate::log::position::Position;

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
    /// The end of the last connection, as far as it is known.
    pub(crate) connected_at: Option<u64>,
    /// Since when the user is due, if that is so.
    pub(crate) due_at: u64,
    /// How often it was tried to tell somebody.
    pub(crate) tries: u32,
    /// When that has failed first.
    pub(crate) tried_at: Option<u64>,
}

/// What was found of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing waits.
    Nothing,
    /// Connected until now.
    Connected {
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
}

/// A row, as it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct NewRow {
    /// Its key.
    pub(crate) key: u64,
    /// Its receiver, if it waits; none if the column holds no user id.
    pub(crate) receiver: Option<UserId>,
}

/// What waits for a user who is due.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The user.
    pub(crate) user: UserId,
    /// How many messages wait, counted up to [`COUNTED`].
    pub(crate) count: u64,
    /// The unread counter.
    pub(crate) unread: u64,
    /// When the oldest message that waits was accepted.
    pub(crate) first_time: Option<u64>,
    /// The newest message that waits.
    pub(crate) last: Option<StoredRow>,
}

/// How soon a user is looked at again who could not be forgotten, in milliseconds.
const STAYED_MS: u64 = 1_000;

/// Up to how many messages are counted.
pub(crate) const COUNTED: u32 = 1_000;

impl Store {
    /// The time of MySQL's clock, in milliseconds since 1970. Daemons may have clocks that differ.
    pub(crate) async fn now(&self) -> Result<u64, StoreError> {
        let rows = self.read_one(notified::NOW.to_owned()).await?;
        all::<u64>(rows).next().ok_or(StoreError::Unavailable(UnavailableCause::Column("now")))
    }

    /// Rows with keys in this range, by key, at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Store::rows`]; so have all others here.
    pub(crate) async fn scan_receivers(
        &self,
        keys: &RangeInclusive<u64>,
        limit: u32,
    ) -> Result<Vec<NewRow>, StoreError> {
        let tables = self.tables().await?;
        let rows = self.read_one(notified::scan(&tables, keys, limit)).await?;
        let ids = tables.user_id_type;
        // The search goes on behind the last row, so none is left out, whatever its columns hold.
        let rows = rows.into_iter().map(|row| {
            let key = column(&row, 0).ok_or(StoreError::Unavailable(UnavailableCause::Column("id")))?;
            let receiver = column::<String>(&row, 1).filter(|_| column(&row, 2).unwrap_or(false));
            Ok::<_, StoreError>(NewRow {
                key,
                receiver: receiver.and_then(|receiver| ids.text(&receiver).ok()),
            })
        });
        rows.collect()
    }

    /// Up to which key receivers were looked for.
    pub(crate) async fn scanned(&self) -> Result<u64, StoreError> {
        let mut found = all::<u64>(self.read_one(notified::scanned()).await?);
        found.next().ok_or_else(|| {
            let text = format!("the table {} has no row", schema::NOTIFY_SCAN);
            StoreError::Unavailable(UnavailableCause::NotMigrated(text))
        })
    }

    /// Records it.
    pub(crate) async fn record_scanned(&self, row: u64) -> Result<(), StoreError> {
        self.change(&[notified::record_scanned(row)]).await.map(drop)
    }

    /// The key that the next row of the message table will have, at least.
    pub(crate) async fn next_key(&self) -> Result<u64, StoreError> {
        let tables = self.tables().await?;
        let table = all::<(String, String)>(self.read_one(notified::show_table(&tables)).await?).next();
        Ok(next_key(&table.unwrap_or_default().1))
    }

    /// Messages may wait for the receivers of these rows since now.
    pub(crate) async fn note_waiting(&self, rows: &[NewRow]) -> Result<(), StoreError> {
        let users: BTreeSet<_> = rows.iter().filter_map(|row| row.receiver.as_ref()).collect();
        if users.is_empty() {
            return Ok(());
        }
        let users: Vec<_> = users.into_iter().collect();
        self.change(&[notified::note(&users, self.now().await?)]).await.map(drop)
    }

    /// Users of whom somebody was told, longest ago first, behind `after`, at most `limit`.
    pub(crate) async fn told(
        &self,
        after: Option<&Candidate>,
        limit: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let after = after.map(|candidate| (&candidate.user, candidate.at));
        let rows = self.read_one(notified::select_told(after, limit)).await?;
        Ok(self.candidates(rows))
    }

    /// Forgets users of whom somebody was told and for whom nothing waits, unless that has changed.
    pub(crate) async fn forget_told(&self, told: &[&Candidate]) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = told.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        self.delete("told_at", &at).await
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
            let unlocked: BTreeSet<_> = all::<String>(rows.unwrap_or_default())
                .filter_map(|user| names.user_id_type.text(&user).ok())
                .collect();
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

    /// Offers users at once whom the last writer was about to tell.
    pub(crate) async fn end_writers_leases(&self, now: u64) -> Result<(), StoreError> {
        self.change(&[notified::end_writers_leases(now)]).await.map(drop)
    }

    /// Users who are to be looked at, at most `limit`.
    pub(crate) async fn to_check(&self, now: u64, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.read_one(notified::select_to_check(now, limit)).await?;
        Ok(self.candidates(rows))
    }

    /// Users who are due and not leased, at most `limit`.
    pub(crate) async fn offered(
        &self,
        now: u64,
        limit: u32,
        exit: Exit,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.read_one(notified::select_offered(now, limit, self.exit(exit))).await?;
        Ok(self.candidates(rows))
    }

    /// The exit to look for. Without Web Push the application tells everybody.
    fn exit(&self, exit: Exit) -> Option<Exit> {
        self.names().web_push.then_some(exit)
    }

    /// Users whom the application is to tell, leased or not, at most `limit`, those first whose turn comes first.
    pub(crate) async fn undelivered(&self, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let rows =
            self.read_one(notified::select_offered(u64::MAX, limit, self.exit(Exit::Application))).await?;
        Ok(self.candidates(rows))
    }

    /// Offers a user at once, unless somebody has begun to tell.
    pub(crate) async fn offer_now(&self, offered: &Candidate, now: u64) -> Result<(), StoreError> {
        self.change(&[notified::offer_now((&offered.user, offered.at), now)]).await.map(drop)
    }

    /// When the oldest message that waits for each of these users was accepted. Who has none is not in it. Returns
    /// the positions of the server.
    pub(crate) async fn first_times(
        &self,
        users: &[&UserId],
        times: &mut HashMap<UserId, u64>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        let tables = self.tables().await?;
        self.read_for_each(notified::first_times(&tables, users), times).await
    }

    /// The unread counters of these users; those without a row are not in it. Returns the positions of the server.
    pub(crate) async fn unread_of_each(
        &self,
        users: &[&UserId],
        counters: &mut HashMap<UserId, u64>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        let mut found: HashMap<UserId, i64> = HashMap::new();
        let reached = self.read_for_each(counter::select(self.names(), users, false), &mut found).await?;
        counters.extend(found.into_iter().map(|(user, count)| (user, u64::try_from(count).unwrap_or(0))));
        Ok(reached)
    }

    /// The positions are read first, so what is found is not older.
    async fn read_for_each<T: FromValue>(
        &self,
        query: String,
        found: &mut HashMap<UserId, T>,
    ) -> Result<HashMap<Partition, Position>, StoreError> {
        let mut results = self.read(&[position::select(), query]).await?.into_iter();
        let reached = positions(results.next().unwrap_or_default())?.into_iter().collect();
        found.extend(self.by_user(results.next().unwrap_or_default()));
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
        let mut connected = Vec::new();
        for (candidate, verdict) in verdicts {
            let at = (&candidate.user, candidate.at);
            match verdict {
                Verdict::Connected { look_at } => connected.push((at, *look_at)),
                Verdict::Later { look_at } | Verdict::Unknown { look_at } => later.push((at, *look_at)),
                Verdict::Nothing | Verdict::Due => {}
            }
        }
        let mut statements = Vec::new();
        if !connected.is_empty() {
            statements.push(notified::check_later(&connected, Some(now)));
        }
        if !later.is_empty() {
            statements.push(notified::check_later(&later, None));
        }
        let due = of(|verdict| matches!(verdict, Verdict::Due));
        if !due.is_empty() {
            statements.push(notified::offer(&due, now, self.names().web_push));
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
            self.change(&[notified::check_later(&stayed, None)]).await?;
        }
        deleted
    }

    /// What waits for these users: counters and the newest message, in this order.
    pub(crate) async fn waiting_of_each(&self, users: &[&UserId]) -> Result<Vec<Waiting>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let tables = self.tables().await?;
        let mut queries = vec![
            notified::count_waiting(&tables, users, COUNTED),
            notified::first_times(&tables, users),
            counter::select(&tables, users, false),
        ];
        queries.extend(users.iter().map(|user| select_last(&tables, user)));
        let mut found = self.read(&queries).await?.into_iter();
        let mut next = || found.next().unwrap_or_default();
        let counts: HashMap<UserId, u64> = self.by_user(next());
        let first_times: HashMap<UserId, u64> = self.by_user(next());
        let unread: HashMap<UserId, i64> = self.by_user(next());
        users
            .iter()
            .map(|user| {
                let last = next().into_iter().next().map(|row| StoredRow::new(row, &tables)).transpose()?;
                Ok(Waiting {
                    user: (*user).clone(),
                    count: counts.get(*user).copied().unwrap_or(0),
                    unread: unread.get(*user).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0),
                    first_time: first_times.get(*user).copied(),
                    last,
                })
            })
            .collect()
    }

    /// Leases those of these users who are still offered, until a time. Returns whom.
    pub(crate) async fn lease(
        &self,
        offered: &[&Candidate],
        until: u64,
        is_writers: bool,
    ) -> Result<Vec<UserId>, StoreError> {
        if offered.is_empty() {
            return Ok(Vec::new());
        }
        let number = notified::lease_number(is_writers);
        let at: Vec<_> = offered.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        let users: Vec<_> = offered.iter().map(|candidate| &candidate.user).collect();
        let statements = [notified::lease(&at, until, number), notified::leased(&users, number)];
        let rows = self.change(&statements).await?.pop().unwrap_or_default();
        let ids = self.names().user_id_type;
        Ok(all::<String>(rows).filter_map(|user| ids.text(&user).ok()).collect())
    }

    /// Looks again at users who were offered.
    pub(crate) async fn take_back(&self, offered: &[&Candidate], now: u64) -> Result<(), StoreError> {
        if offered.is_empty() {
            return Ok(());
        }
        let at: Vec<_> = offered.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        self.change(&[notified::take_back(&at, now)]).await.map(drop)
    }

    /// Offers users again at a time who were offered. It is the same offer.
    pub(crate) async fn offer_later(&self, offered: &[(&Candidate, u64)]) -> Result<(), StoreError> {
        let Some((_, offer_at)) = offered.first() else { return Ok(()) };
        let at: Vec<_> = offered.iter().map(|(candidate, _)| (&candidate.user, candidate.at)).collect();
        self.change(&[notified::offer_later(&at, *offer_at)]).await.map(drop)
    }

    /// Somebody was told of these users. Returns how many of them were due or leased.
    pub(crate) async fn mark_told(&self, users: &[&UserId], now: u64) -> Result<u64, StoreError> {
        if users.is_empty() {
            return Ok(0);
        }
        let statements = [notified::told(users, now), notified::count_told(users, now)];
        let rows = self.change(&statements).await?.pop().unwrap_or_default();
        Ok(all::<u64>(rows).next().unwrap_or(0))
    }

    /// Somebody was told of a user, unless the user has come back since the lease until `until` began.
    pub(crate) async fn mark_leased_told(
        &self,
        user: &UserId,
        until: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        self.change(&[notified::told_in_lease(&[(user, until)], now)]).await.map(drop)
    }

    /// Telling has failed `now`: offers a user again at a time, if the lease until `until` is still there.
    pub(crate) async fn postpone(
        &self,
        user: &UserId,
        until: u64,
        (now, offer_at): (u64, u64),
    ) -> Result<(), StoreError> {
        self.change(&[notified::postpone(&[(user, until)], now, offer_at)]).await.map(drop)
    }

    /// The same, if telling was not tried.
    pub(crate) async fn release(&self, user: &UserId, until: u64, offer_at: u64) -> Result<(), StoreError> {
        self.change(&[notified::release(&[(user, until)], offer_at)]).await.map(drop)
    }

    /// Offers a user to the application, if the lease until `until` is still there.
    pub(crate) async fn leave_to_application(
        &self,
        user: &UserId,
        until: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        self.change(&[notified::leave_to_application(&[(user, until)], now)]).await.map(drop)
    }

    /// Those of these users of whom anything is noted.
    pub(crate) async fn noted(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let users: Vec<_> = users.iter().collect();
        let ids = self.names().user_id_type;
        let rows = self.read_one(notified::select_noted(&users)).await?;
        Ok(all::<String>(rows).filter_map(|user| ids.text(&user).ok()).collect())
    }

    /// Users have connected, and are looked at again at a time.
    pub(crate) async fn record_connected(
        &self,
        users: &[UserId],
        now: u64,
        look_at: u64,
    ) -> Result<(), StoreError> {
        let users: Vec<_> = users.iter().collect();
        self.change(&[notified::seen(&users, now, look_at)]).await.map(drop)
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
                Some(Candidate { user, at, since, connected_at, due_at, tries, tried_at })
            })
            .collect()
    }

    fn by_user<T: FromValue>(&self, rows: Vec<Row>) -> HashMap<UserId, T> {
        let ids = self.names().user_id_type;
        all::<(String, T)>(rows).filter_map(|(user, value)| Some((ids.text(&user).ok()?, value))).collect()
    }
}

/// The next key, from the definition of a table (MySQL manual, "SHOW CREATE TABLE"). It is not there in a table
/// that has had no row. `information_schema` may be a day behind.
fn next_key(definition: &str) -> u64 {
    let options = definition.rsplit_once("\n)").map_or("", |(_, options)| options);
    let next = options.split_whitespace().find_map(|option| option.strip_prefix("AUTO_INCREMENT="));
    next.and_then(|next| next.parse().ok()).unwrap_or(1)
}

/// What a column holds, if it is what is expected.
fn column<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt(index)?.ok()
}

/// The rows that hold what is expected.
fn all<T: FromRow>(rows: Vec<Row>) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| mysql_async::from_row_opt(row).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_key_is_an_option_of_the_table() {
        let table = |options: &str| {
            format!(
                "CREATE TABLE `m` (\n  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'AUTO_INCREMENT=7'\n) {options}"
            )
        };
        assert_eq!(next_key(&table("ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4")), 42);
        assert_eq!(next_key(&table("ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")), 1);
        assert_eq!(next_key(""), 1);
    }
}
