//! The queue of events that the application is told of. Every change is a transaction of its own, and may be repeated.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chatpush_wire::id::{MessageId, Sender, UserId, UserIdType};
use mysql_async::Row;

use super::statements::webhook_events;
use super::{Store, StoreError};
use crate::config::Event;

/// Most events that wait. Beyond it the oldest ones are given up.
pub(crate) const MOST_EVENTS: u32 = 100_000;

/// Most events that one statement gives up.
const DROPPED: u32 = 1_000;

/// Most leases that one statement ends.
const LEASES: u32 = 1_000;

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct QueuedEvent {
    /// Its row.
    pub(crate) row: u64,
    /// What has happened.
    pub(crate) event: Event,
    /// To whom: for a message, its receiver.
    pub(crate) user: UserId,
    /// The message, with its sender.
    pub(crate) message: Option<(Sender, MessageId)>,
    /// When, in milliseconds since 1970.
    pub(crate) time: u64,
    /// When it is offered.
    pub(crate) offer_at: u64,
    /// How often it was tried to tell the application.
    pub(crate) tries: u32,
    /// When that has failed first.
    pub(crate) tried_at: Option<u64>,
    /// Whether there is a lease. Its end is `offer_at`, and may be over.
    pub(crate) has_lease: bool,
    /// Why the last try has failed.
    pub(crate) error: Option<String>,
}

/// An event that is leased.
#[derive(Clone, Debug)]
pub(crate) struct LeasedEvent {
    /// The event.
    pub(crate) event: QueuedEvent,
    /// The number of the lease.
    pub(crate) lease: u64,
    /// How long ago telling has failed first; zero if it has not.
    pub(crate) tried_for: Duration,
}

impl Store {
    /// Leases events that are offered now, at most `limit`. Of a user who came and went, only the first event that
    /// waits is leased, so that they are told of in order. Returns too whether there may be more.
    ///
    /// # Errors
    ///
    /// As [`Store::change`]; so have all others here.
    pub(crate) async fn lease_events(
        &self,
        now: u64,
        until: u64,
        limit: u32,
    ) -> Result<(Vec<LeasedEvent>, bool), StoreError> {
        let offered = self.events(&webhook_events::select_offered(now, limit)).await?;
        let is_more = offered.len() >= limit as usize;
        if offered.is_empty() {
            return Ok((Vec::new(), false));
        }
        let first = self.first_of_users(&offered).await?;
        let mut statements = Vec::new();
        let mut events = Vec::new();
        for event in offered {
            match first.get(&event.user).filter(|_| event.event.is_presence()) {
                Some((row, offer_at)) if *row != event.row => {
                    let offer_at = if *offer_at <= now { until } else { *offer_at };
                    statements.push(webhook_events::put_behind(event.row, *row, offer_at + 1));
                }
                _ => events.push(event),
            }
        }
        let lease = fastrand::u64(..);
        let at: Vec<_> = events.iter().map(|event| (event.row, event.offer_at)).collect();
        let ids: Vec<_> = events.iter().map(|event| event.row).collect();
        if !events.is_empty() {
            statements.push(webhook_events::lease(&at, until, lease));
            statements.push(webhook_events::select_leased(&ids, lease));
        }
        let mut results = self.change(&statements).await?;
        let mine: HashSet<u64> = match results.pop() {
            Some(rows) if !events.is_empty() => ids_of(rows),
            _ => HashSet::new(),
        };
        let leased = events.into_iter().filter(|event| mine.contains(&event.row));
        let leased = leased.map(|event| {
            let tried_at = event.tried_at.unwrap_or(now);
            LeasedEvent { event, lease, tried_for: Duration::from_millis(now.saturating_sub(tried_at)) }
        });
        Ok((leased.collect(), is_more))
    }

    /// The first event of each of these users who came or went: its row, and when it is offered.
    async fn first_of_users(
        &self,
        offered: &[QueuedEvent],
    ) -> Result<HashMap<UserId, (u64, u64)>, StoreError> {
        let users: BTreeSet<_> =
            offered.iter().filter(|event| event.event.is_presence()).map(|event| &event.user).collect();
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let users: Vec<_> = users.into_iter().collect();
        let ids = self.names().user_id_type;
        let rows = self.read(&[webhook_events::select_first(&users)]).await?.into_iter().flatten();
        let first = rows.filter_map(|row| {
            let (row, user, offer_at) = mysql_async::from_row_opt::<(u64, String, u64)>(row).ok()?;
            Some((ids.text(&user).ok()?, (row, offer_at)))
        });
        Ok(first.collect())
    }

    /// Offers all leased events at once: the daemon that sent them writes no more.
    pub(crate) async fn end_event_leases(&self) -> Result<(), StoreError> {
        let rows = self.read(&[webhook_events::select_all_leased(LEASES)]).await?.into_iter().flatten();
        let leased: Vec<_> =
            rows.filter_map(|row| mysql_async::from_row_opt::<(u64, u64)>(row).ok()).collect();
        if leased.is_empty() {
            return Ok(());
        }
        self.change(&[webhook_events::end_leases(&leased)]).await.map(drop)
    }

    /// The application was told of `told`. Telling of each of `later` has failed `now`, for a reason, and it is offered
    /// again at a time.
    pub(crate) async fn record_events(
        &self,
        now: u64,
        told: &[LeasedEvent],
        later: &[(LeasedEvent, u64, String)],
    ) -> Result<(), StoreError> {
        let key = |leased: &LeasedEvent| (leased.event.row, leased.lease);
        let mut statements = Vec::new();
        if !told.is_empty() {
            let told: Vec<_> = told.iter().map(key).collect();
            statements.push(webhook_events::delete(&told));
        }
        statements.extend(
            later.iter().map(|(event, at, error)| webhook_events::postpone(key(event), now, (*at, error))),
        );
        statements.extend(offer_next(told.iter().map(|leased| &leased.event)));
        if statements.is_empty() { Ok(()) } else { self.change(&statements).await.map(drop) }
    }

    /// Gives the oldest events up where more than [`MOST_EVENTS`] wait, some at a time. Returns how many.
    pub(crate) async fn drop_excess_events(&self) -> Result<u64, StoreError> {
        let range = self.read(&[webhook_events::select_range()]).await?.into_iter().flatten().next();
        let (first, last) =
            range.and_then(|row| mysql_async::from_row_opt::<(u64, u64)>(row).ok()).unwrap_or_default();
        if last.saturating_sub(first) < u64::from(MOST_EVENTS) {
            return Ok(0);
        }
        let excess = self.read(&[webhook_events::select_excess(MOST_EVENTS)]).await?.into_iter().flatten();
        let Some(until) = ids_of(excess.collect()).into_iter().next() else { return Ok(0) };
        let ids = self.names().user_id_type;
        let rows = self.read(&[webhook_events::select_oldest_users(until, DROPPED)]).await?;
        let users =
            rows.into_iter().flatten().filter_map(|row| mysql_async::from_row_opt::<String>(row).ok());
        let users: Vec<_> = users.filter_map(|user| ids.text(&user).ok()).collect();
        let delete = webhook_events::delete_oldest(until, DROPPED);
        let mut statements = vec![delete, webhook_events::DELETED.to_owned()];
        if !users.is_empty() {
            statements.push(webhook_events::offer_next(&users.iter().collect::<Vec<_>>()));
        }
        let results = self.change(&statements).await?;
        Ok(results.into_iter().nth(1).and_then(|rows| ids_of(rows).into_iter().next()).unwrap_or(0))
    }

    /// The oldest events, at most `limit`.
    pub(crate) async fn waiting_events(&self, limit: u32) -> Result<Vec<QueuedEvent>, StoreError> {
        self.events(&webhook_events::select_all(limit)).await
    }

    /// Offers events at once, unless a request is under way.
    pub(crate) async fn offer_events_now(&self, rows: &[u64]) -> Result<(), StoreError> {
        self.change(&[webhook_events::offer_now(rows)]).await.map(drop)
    }

    /// Gives events up. What comes behind one of them is offered at once.
    pub(crate) async fn drop_events(&self, events: &[&QueuedEvent]) -> Result<(), StoreError> {
        let rows: Vec<_> = events.iter().map(|event| event.row).collect();
        let mut statements = vec![webhook_events::drop_events(&rows)];
        statements.extend(offer_next(events.iter().copied()));
        self.change(&statements).await.map(drop)
    }

    async fn events(&self, query: &str) -> Result<Vec<QueuedEvent>, StoreError> {
        let ids = self.names().user_id_type;
        let rows = self.read(&[query.to_owned()]).await?.into_iter().flatten();
        Ok(rows.filter_map(|row| event(row, ids)).collect())
    }
}

/// These events are done with: of each user who came or went, the next one is offered at once. None if there is none.
fn offer_next<'a>(done: impl Iterator<Item = &'a QueuedEvent>) -> Option<String> {
    let users: BTreeSet<_> =
        done.filter(|event| event.event.is_presence()).map(|event| &event.user).collect();
    let users: Vec<_> = users.into_iter().collect();
    (!users.is_empty()).then(|| webhook_events::offer_next(&users))
}

/// A row. None if it holds what this version does not know.
fn event(row: Row, ids: UserIdType) -> Option<QueuedEvent> {
    type Columns = (
        u64,
        String,
        String,
        Option<String>,
        Option<String>,
        u64,
        u64,
        u32,
        Option<u64>,
        bool,
        Option<String>,
    );
    let (row, event, user, sender, message, time, offer_at, tries, tried_at, has_lease, error) =
        mysql_async::from_row_opt::<Columns>(row).ok()?;
    let message = message.and_then(|id| MessageId::try_from(id).ok());
    let message = message.map(|id| (self::sender(sender.unwrap_or_default(), ids), id));
    let (event, user) = (Event::named(&event)?, ids.text(&user).ok()?);
    Some(QueuedEvent { row, event, user, message, time, offer_at, tries, tried_at, has_lease, error })
}

/// A sender as a text; 0 if it should be a number, and is none.
fn sender(text: String, ids: UserIdType) -> Sender {
    match ids {
        UserIdType::Int => Sender::Int(text.parse().unwrap_or(0)),
        UserIdType::BigInt => Sender::BigInt(text.parse().unwrap_or(0)),
        UserIdType::Text => Sender::Text(text),
    }
}

/// The numbers in rows of one column.
fn ids_of(rows: Vec<Row>) -> HashSet<u64> {
    rows.into_iter().filter_map(|row| mysql_async::from_row_opt::<u64>(row).ok()).collect()
}
