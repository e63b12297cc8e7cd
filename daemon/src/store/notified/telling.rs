//! Users who are due: what waits for them, and who tells.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use chatpush_wire::id::UserId;

use super::{Candidate, Exit, FirstTime, STATEMENT_USERS, all};
use crate::store::rows::{self, StoredRow};
use crate::store::statements::counter;
use crate::store::statements::notified::{self, telling};
use crate::store::{Store, StoreError};

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

impl Waiting {
    /// Whether there is anything to tell.
    pub(crate) const fn is_any(&self) -> bool {
        self.count > 0 || self.unread > 0
    }
}

/// Where the newest message stands that waits for a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    key: u64,
    /// Bytes of its content.
    pub(crate) bytes: u64,
}

/// How much of a content is read. It may have megabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// All.
    Whole,
    /// At most so many characters.
    Start(usize),
}

/// A user, and when the lease ends.
type Leased<'a> = (&'a UserId, u64);

/// When a user is offered again, and why.
type Later<'a> = (u64, Option<&'a str>);

/// Up to how many messages are counted.
const COUNTED: u32 = 1_000;

impl Store {
    /// Users who are due and not leased, at most `limit`.
    pub(crate) async fn offered(
        &self,
        now: u64,
        limit: u32,
        exit: Exit,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rows = self.read_one(telling::select_offered(now, limit, self.exit(exit))).await?;
        Ok(self.candidates(rows))
    }

    /// The exit to look for. Without Web Push the application tells everybody.
    pub(in crate::store) fn exit(&self, exit: Exit) -> Option<Exit> {
        self.names().web_push.then_some(exit)
    }

    /// What waits for these users, in this order, without the newest message: [`Store::read_newest`] reads it.
    pub(crate) async fn waiting_of_each(
        &self,
        users: &[&UserId],
    ) -> Result<Vec<(Waiting, Option<Newest>)>, StoreError> {
        let tables = self.tables().await?;
        let mut queries = Vec::new();
        for users in users.chunks(STATEMENT_USERS) {
            queries.push(telling::count_waiting(&tables, users, COUNTED));
            queries.push(notified::first_times(&tables, users));
            queries.push(counter::select(&tables, users, false));
            queries.push(telling::select_last(&tables, users));
        }
        let (mut counts, mut first_times) = (HashMap::<_, u64>::new(), HashMap::<_, i64>::new());
        let (mut unread, mut newest) = (HashMap::<_, i64>::new(), HashMap::new());
        let mut found = self.read(&queries).await?.into_iter();
        while let Some(counted) = found.next() {
            let mut next = || found.next().unwrap_or_default();
            counts.extend(self.by_user(counted));
            first_times.extend(self.by_user(next()));
            unread.extend(self.by_user(next()));
            newest.extend(all::<(String, u64, Option<u64>)>(next()).filter_map(|(user, key, bytes)| {
                let bytes = bytes.unwrap_or(0);
                Some((tables.user_id_type.text(&user).ok()?, Newest { key, bytes }))
            }));
        }
        let each = users.iter().map(|user| {
            let waiting = Waiting {
                user: (*user).clone(),
                count: counts.get(*user).copied().unwrap_or(0),
                unread: unread.get(*user).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0),
                first_time: first_times.get(*user).map(|time| FirstTime::from(*time).at),
                last: None,
            };
            (waiting, newest.get(*user).copied())
        });
        Ok(each.collect())
    }

    /// Reads the newest message of each. One that has gone since leaves its place to the next one.
    pub(crate) async fn read_newest(
        &self,
        waiting: &mut [(Waiting, Option<Newest>)],
        content: Content,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let of_content = |query: String| match content {
            Content::Whole => query,
            Content::Start(characters) => rows::starts(&query, characters),
        };
        let keys: Vec<_> = waiting
            .iter()
            .filter_map(|(waiting, newest)| Some((&waiting.user, newest.as_ref()?.key)))
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        let query = of_content(rows::select_of_users(&tables, &keys));
        let mut found: HashMap<_, _> = self
            .read_one(query)
            .await?
            .into_iter()
            .filter_map(|row| Some((row.get_opt::<u64, _>("id")?.ok()?, row)))
            .collect();
        let is_gone = |newest: &Option<Newest>| newest.is_some_and(|newest| !found.contains_key(&newest.key));
        let gone = waiting.iter().filter(|(_, newest)| is_gone(newest));
        let gone: Vec<_> = gone.map(|(waiting, _)| waiting.user.clone()).collect();
        let queries: Vec<_> = gone.iter().map(|user| of_content(rows::select_last(&tables, user))).collect();
        let next = if gone.is_empty() { Vec::new() } else { self.read(&queries).await? };
        let next = next.into_iter().map(|rows| rows.into_iter().next());
        let mut next: HashMap<_, _> = gone.into_iter().zip(next).collect();
        for (waiting, newest) in waiting {
            let user = &waiting.user;
            let row = newest.and_then(|newest| found.remove(&newest.key));
            let row = row.or_else(|| next.remove(user).flatten());
            // The application has written it. The user is told of it, and nobody else waits.
            waiting.last = row.map(|row| StoredRow::new(row, &tables)).transpose().unwrap_or_else(|error| {
                tracing::warn!(%user, %error, "the newest message for a user who is due cannot be read");
                None
            });
        }
        Ok(())
    }

    /// Offers users at once whom the last writer was about to tell over this exit, whose leases end between these
    /// times.
    pub(crate) async fn end_writers_leases(
        &self,
        (now, until): (u64, u64),
        exit: Exit,
    ) -> Result<(), StoreError> {
        self.change(&[telling::end_writers_leases(now, until, self.exit(exit))]).await.map(drop)
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
        let number = telling::lease_number(is_writers);
        let at: Vec<_> = offered.iter().map(|candidate| (&candidate.user, candidate.at)).collect();
        let users: Vec<_> = offered.iter().map(|candidate| &candidate.user).collect();
        let statements = [telling::lease(&at, until, number), telling::leased(&users, number)];
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
        self.change(&[telling::take_back(&at, now)]).await.map(drop)
    }

    /// Offers users again at a time who were offered. It is the same offer.
    pub(crate) async fn offer_later(&self, offered: &[(&Candidate, u64)]) -> Result<(), StoreError> {
        let Some((_, offer_at)) = offered.first() else { return Ok(()) };
        let at: Vec<_> = offered.iter().map(|(candidate, _)| (&candidate.user, candidate.at)).collect();
        self.change(&[telling::offer_later(&at, *offer_at)]).await.map(drop)
    }

    /// Somebody was told of these users. Returns how many of them were due or leased.
    pub(crate) async fn mark_told(&self, users: &[&UserId], now: u64) -> Result<u64, StoreError> {
        if users.is_empty() {
            return Ok(0);
        }
        // Two calls of one millisecond would count each other's users.
        let later = |last: u64| now.max(last.saturating_add(1));
        let last =
            self.last_told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
        let at = later(last.unwrap_or_default());
        let statements = [telling::told(users, at), telling::count_told(users, at)];
        let rows = self.change(&statements).await?.pop().unwrap_or_default();
        Ok(all::<u64>(rows).next().unwrap_or(0))
    }

    /// Somebody was told of users, unless they have come back since the leases until these times began.
    pub(crate) async fn mark_leased_told(
        &self,
        users: &[(&UserId, u64)],
        now: u64,
    ) -> Result<(), StoreError> {
        self.change(&[telling::told_in_lease(users, now)]).await.map(drop)
    }

    /// Telling has failed `now`: offers users again, if the lease until a time is still there, at another time, and
    /// keeps the reason.
    pub(crate) async fn postpone(
        &self,
        users: &[(Leased<'_>, Later<'_>)],
        now: u64,
    ) -> Result<(), StoreError> {
        let mut alike: BTreeMap<Later<'_>, Vec<Leased<'_>>> = BTreeMap::new();
        for (leased, later) in users {
            alike.entry(*later).or_default().push(*leased);
        }
        let statements: Vec<_> = alike
            .iter()
            .map(|((offer_at, error), users)| telling::postpone(users, now, *offer_at, *error))
            .collect();
        self.change(&statements).await.map(drop)
    }

    /// Telling a user was not tried: offers the user again, if the lease until `until` is still there.
    pub(crate) async fn release(&self, user: &UserId, until: u64, offer_at: u64) -> Result<(), StoreError> {
        self.change(&[telling::release(&[(user, until)], offer_at)]).await.map(drop)
    }

    /// Offers a user to the application, if the lease until `until` is still there.
    pub(crate) async fn leave_to_application(
        &self,
        user: &UserId,
        until: u64,
        now: u64,
    ) -> Result<(), StoreError> {
        self.change(&[telling::leave_to_application(&[(user, until)], now)]).await.map(drop)
    }
}
