//! When the writer removes messages that have waited for too long (`mailbox.max_age_days`).

mod search;

use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::Instant;

use crate::base::clock;
use crate::log::batch::PositionUpdate;
use crate::store::StoreError;
use crate::store::rows::Unread;
use crate::store::writer_connection::WriterConnection;
use search::Search;

/// The time between two steps while there is much to remove, or to look at.
const BUSY_INTERVAL: Duration = Duration::from_millis(250);

/// The time between two steps while there is nothing.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// How far the removal is.
#[derive(Debug)]
pub(super) struct Expiry {
    due: Instant,
    max_age: Option<Duration>,
    /// Where old messages are looked for; none before the first step.
    search: Option<Search>,
}

/// What one step has removed.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// How many messages.
    pub(super) messages: u64,
    /// Their receivers.
    pub(super) users: Vec<UserId>,
    /// The new counters of these, if messages are counted.
    pub(super) counters: Vec<(UserId, Unread)>,
}

impl Expiry {
    /// Begins where the last writer was. Without `max_age` nothing is removed.
    pub(super) fn new(max_age: Option<Duration>) -> Self {
        Self { due: Instant::now(), max_age, search: None }
    }

    /// One step, if it is due. It is small, because messages wait for it. `at` has the positions of a user's
    /// partition, and the counters are changed if messages are `counted`.
    ///
    /// # Errors
    ///
    /// If the connection has failed. A step that is refused, or meets a lock, is tried again later.
    pub(super) async fn step_if_due(
        &mut self,
        mysql: &mut WriterConnection,
        at: impl Fn(&UserId) -> PositionUpdate,
        counted: bool,
    ) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let Some(max_age) = self.max_age.filter(|_| Instant::now() >= self.due) else { return Ok(expired) };
        let more = match self.step(mysql, max_age, at, counted, &mut expired).await {
            Ok(more) => more,
            Err(error) if error.concerns_entries() => {
                tracing::debug!(%error, "cannot remove old messages now");
                false
            }
            Err(error) => return Err(error),
        };
        self.due = Instant::now() + if more { BUSY_INTERVAL } else { IDLE_INTERVAL };
        Ok(expired)
    }

    /// True if there may be more.
    async fn step(
        &mut self,
        mysql: &mut WriterConnection,
        max_age: Duration,
        at: impl Fn(&UserId) -> PositionUpdate,
        counted: bool,
        expired: &mut Expired,
    ) -> Result<bool, StoreError> {
        let before = clock::unix_seconds().saturating_sub(max_age.as_secs());
        let mut search = match self.search {
            Some(search) => search,
            None => Search::from(mysql.nothing_waits_to().await?),
        };
        let old = mysql.old_messages(search.after(), before).await?;
        let highest = if old.is_end { mysql.highest_row().await? } else { 0 };
        let again = search.found(&old, highest);
        self.search = Some(search);
        if let Some(row) = search.to_record() {
            mysql.record_nothing_waits_to(row).await?;
            self.search = Some(search.recorded(row));
        }
        let mut by_user = old.rows;
        if by_user.is_empty() {
            return Ok(old.has_more || again);
        }
        match remove(mysql, &by_user, &at, counted, expired).await {
            Ok(()) => return Ok(old.has_more || again),
            Err(error) if error.concerns_entries() => {
                tracing::debug!(%error, "old messages are removed user by user");
            }
            Err(error) => return Err(error),
        }
        // One user's rows may be locked, or refused by a trigger.
        by_user.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
        for own in by_user.chunk_by(|(_, one), (_, other)| one == other) {
            match remove(mysql, own, &at, counted, expired).await {
                Ok(()) => {}
                Err(error) if error.concerns_entries() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(old.has_more && expired.messages > 0)
    }
}

/// Removes messages in one transaction.
async fn remove(
    mysql: &mut WriterConnection,
    rows: &[(u64, UserId)],
    at: impl Fn(&UserId) -> PositionUpdate,
    counted: bool,
    expired: &mut Expired,
) -> Result<(), StoreError> {
    let mut positions: Vec<_> = rows.iter().map(|(_, user)| at(user)).collect();
    positions.sort_unstable_by_key(|update| update.partition);
    positions.dedup();
    let (messages, counters) = mysql.expire(rows, &positions, counted).await?;
    expired.messages += messages;
    expired.users.extend(rows.iter().map(|(_, user)| user.clone()));
    expired.counters.extend(counters);
    Ok(())
}
