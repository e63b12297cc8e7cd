//! Users with new unread messages, where users are told of these.
//!
//! They are noted some at a time, behind the commits: in each transaction that would cost a store a fifth. A writer that is
//! killed meanwhile loses none, since entries stay in the logs for some seconds: the next one notes whom they name.

use std::collections::BTreeMap;
use std::time::Duration;

use chatpush_wire::id::UserId;
use tokio::time::Instant;

use super::{Term, TermError};
use crate::broker::log;
use crate::config::When;
use crate::log::batch::Batch;
use crate::log::position::Position;
use crate::store::StoreError;

/// How long they gather.
const GATHER: Duration = Duration::from_millis(500);

/// So many do not wait any longer.
const USERS: usize = 4_096;

/// Users who wait to be noted.
#[derive(Debug, Default)]
pub(super) struct NewlyUnread {
    /// When the first of them was committed.
    pub(super) since: Option<Instant>,
    /// How many new messages they have.
    new: BTreeMap<UserId, u32>,
    /// Not before: MySQL has refused it.
    after: Option<Instant>,
}

impl NewlyUnread {
    /// Adds those of a batch that was committed.
    pub(super) fn add(&mut self, batch: &Batch<'_>) {
        for (user, counter) in batch.counters.iter().filter(|(_, counter)| counter.added > 0) {
            self.since.get_or_insert_with(Instant::now);
            if let Some(new) = self.new.get_mut(*user) {
                *new += counter.added;
            } else {
                self.new.insert(UserId::clone(user), counter.added);
            }
        }
    }

    /// How long until they are to be noted, if there are some.
    pub(super) fn next(&self) -> Option<Duration> {
        let due = if self.new.len() < USERS { self.since? + GATHER } else { self.since? };
        Some(self.after.map_or(due, |after| after.max(due)).saturating_duration_since(Instant::now()))
    }
}

impl Term<'_> {
    /// Whether users are told of unread messages.
    pub(super) fn notes_unread(&self) -> bool {
        self.services.config.notify.is_some_and(|notify| notify.when == When::Unread)
    }

    /// Notes users when it is time, or all of them now.
    ///
    /// # Errors
    ///
    /// If the connection has failed. What is refused, or meets a lock, is tried again.
    pub(super) async fn note_unread(&mut self, now: bool) -> Result<(), StoreError> {
        if !self.newly_unread.next().is_some_and(|next| now || next.is_zero()) {
            return Ok(());
        }
        let new = &self.newly_unread.new;
        let users: Vec<_> = new.keys().collect();
        match self.mysql.note_unread(&users, |user, _| new.get(user).copied().unwrap_or(0)).await {
            Ok(()) => self.newly_unread = NewlyUnread::default(),
            Err(error) if error.concerns_entries() => {
                tracing::debug!(%error, "cannot note who has unread messages now");
                self.newly_unread.after = Some(Instant::now() + GATHER);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes the users whom the last writer may not have noted: those for whom messages were stored a short time ago.
    pub(super) async fn note_last_unread(&mut self) -> Result<(), TermError> {
        if !self.notes_unread() {
            return Ok(());
        }
        self.services.redis_clock.read(&self.services.commands).await?;
        let Some(now) = self.mysql.now().await? else { return Ok(()) };
        // MySQL's clock, by which somebody was told, may differ from that of Redis.
        let ahead = now.cast_signed() - self.services.redis_clock.now().cast_signed();
        let partitions: Vec<_> =
            self.applied.iter().map(|(partition, applied)| (*partition, *applied)).collect();
        for (partition, applied) in partitions {
            let mut times: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
            let names = (&self.services.prefix, self.services.config.user_id_type);
            let mut read = Position::default();
            while read < applied {
                let slice = log::receivers(&self.services.commands, names, partition, read).await?;
                read = slice.entries.last().map_or(applied, |last| last.position);
                let stored =
                    slice.entries.into_iter().filter(|entry| entry.is_message && entry.position <= applied);
                for entry in stored {
                    let time = entry.position.time_ms().saturating_add_signed(ahead);
                    for user in entry.receivers.unwrap_or_default() {
                        times.entry(user).or_default().push(time);
                    }
                }
                if !slice.has_more {
                    break;
                }
            }
            let users: Vec<_> = times.keys().collect();
            let new = |user: &UserId, told_at| {
                let later = times.get(user).into_iter().flatten().filter(|time| **time > told_at);
                u32::try_from(later.count()).unwrap_or(u32::MAX)
            };
            self.mysql.note_unread(&users, new).await?;
        }
        Ok(())
    }
}
