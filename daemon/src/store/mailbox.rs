//! Mailboxes with limits: how full they are, and the removal of what waits for too long.

use std::collections::{BTreeMap, BTreeSet};

use chatpush_wire::id::UserId;

use super::StoreError;
use super::counters;
use super::multi_statement::ResultUse;
use super::rows::Unread;
use super::statements::mailbox::Counted;
use super::statements::{in_statements, mailbox};
use super::writer_connection::{Locks, WriterConnection};
use crate::base::clock;
use crate::log::batch::PositionUpdate;

/// Rows that one step looks at.
const EXAMINED_ROWS: u32 = 5_000;

/// Most rows that one step removes.
const EXPIRED_ROWS: usize = 1_000;

/// Waiting messages that are too old.
#[derive(Clone, Debug, Default)]
pub(crate) struct OldMessages {
    /// Rows and their receivers.
    pub(crate) rows: Vec<(u64, UserId)>,
    /// Up to which id nothing waits that can become too old.
    pub(crate) done: u64,
    /// Whether a row behind it waits.
    pub(crate) waits: bool,
    /// Whether there may be more of them.
    pub(crate) has_more: bool,
    /// Whether there is no row at all.
    pub(crate) is_end: bool,
}

impl WriterConnection {
    /// How many messages wait for each of these users. Counting ends at `most`.
    pub(crate) async fn waiting(
        &mut self,
        users: &[&UserId],
        most: u32,
    ) -> Result<Vec<(UserId, u32)>, StoreError> {
        let (ids, mut waiting) = (self.tables().user_id_type, Vec::new());
        for users in in_statements(users, self.statement_bytes() / 2, |_| mailbox::COUNT_BYTES) {
            let found = self.select(mailbox::count(self.tables(), users, most)).await?;
            waiting.extend(found.into_iter().filter_map(|row| {
                let (user, count) = mysql_async::from_row_opt::<(String, u32)>(row).ok()?;
                Some((ids.text(&user).ok()?, count))
            }));
        }
        Ok(waiting)
    }

    /// The first messages with ids above `after` that wait since before `before`, in seconds since 1970. Rows are
    /// in the order of their ids, and as a rule in that of their times.
    pub(crate) async fn old_messages(&mut self, after: u64, before: u64) -> Result<OldMessages, StoreError> {
        let after = if self.tables().has_own_kept { after } else { after.max(self.tables().kept) };
        let query = mailbox::select_by_age(self.tables(), after, before, EXAMINED_ROWS);
        let found = self.select_in_time_zone(query).await?;
        let count = found.len();
        let ids = self.tables().user_id_type;
        let mut old = OldMessages { done: after, is_end: count == 0, ..OldMessages::default() };
        for row in found {
            let Ok((id, receiver, waits, is_old)) =
                mysql_async::from_row_opt::<(u64, Option<String>, Option<bool>, Option<bool>)>(row)
            else {
                continue;
            };
            let receiver = receiver.and_then(|receiver| ids.text(&receiver).ok());
            match (waits, is_old, receiver) {
                (Some(true), Some(true), Some(receiver)) => {
                    old.waits = true;
                    old.rows.push((id, receiver));
                }
                (Some(true), Some(false), Some(_)) => old.waits = true,
                _ if !old.waits => old.done = id,
                _ => {}
            }
        }
        let examined_all = count < EXAMINED_ROWS as usize;
        old.has_more = old.rows.len() > EXPIRED_ROWS || !examined_all && (!old.waits || !old.rows.is_empty());
        old.rows.truncate(EXPIRED_ROWS);
        Ok(old)
    }

    /// The highest id of the message table; 0 if it is empty.
    pub(crate) async fn highest_row(&mut self) -> Result<u64, StoreError> {
        let found = self.select(mailbox::highest(self.tables())).await?;
        let highest = found.into_iter().next().and_then(|row| mysql_async::from_row_opt::<u64>(row).ok());
        Ok(highest.unwrap_or(0))
    }

    /// Up to which row nothing waited when a writer has recorded it.
    pub(crate) async fn nothing_waits_to(&mut self) -> Result<u64, StoreError> {
        let found = self.select(mailbox::nothing_waits_to(self.tables())).await?;
        let to = found.into_iter().next().and_then(|row| mysql_async::from_row_opt::<u64>(row).ok());
        Ok(to.unwrap_or(0))
    }

    /// Records that for the next writer.
    pub(crate) async fn record_nothing_waits_to(&mut self, row: u64) -> Result<(), StoreError> {
        self.change(mailbox::record_nothing_waits_to(self.tables(), row), 1).await.map(drop)
    }

    /// Removes messages, while the positions of their partitions are these. Returns how many there were, and
    /// their receivers' counters if they are `counted`.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::apply`].
    pub(crate) async fn expire(
        &mut self,
        rows: &[(u64, UserId)],
        positions: &[PositionUpdate],
        counted: bool,
    ) -> Result<(u64, Vec<(UserId, Unread)>), StoreError> {
        let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
        let users: BTreeSet<_> = rows.iter().map(|(_, user)| user).collect();
        let users: Vec<_> = users.into_iter().collect();
        // Only this connection clears counters, so that stays true.
        let in_counters = if counted { self.in_counters(rows).await? } else { BTreeMap::new() };
        let mut statements = self.begin(positions, Locks::NoWait);
        let tables = self.tables();
        let (most_unread, most) = (self.most_unread(), self.statement_bytes() / 2);
        for statement in mailbox::uncount(tables, &in_counters, most_unread, most) {
            statements.push(ResultUse::Ignored, statement);
        }
        if self.remembers() {
            statements.push(ResultUse::Ignored, mailbox::remember(&ids, clock::unix_milliseconds()));
        }
        let [remove_rows, remove_records] = mailbox::remove(tables, &ids);
        statements.push(ResultUse::AffectedRows, remove_rows);
        statements.push(ResultUse::Ignored, remove_records);
        if counted {
            counters::add(&mut statements, tables, &users, false);
        }
        self.add_end(&mut statements, positions);
        let results = self.execute_within(self.limit(rows.len()), statements).await?;
        let removed = results.affected_rows.first().copied().unwrap_or(0);
        Ok((removed, counters::found(self.tables(), results.rows, results.parts)))
    }

    /// What is counted of these rows.
    async fn in_counters(&mut self, rows: &[(u64, UserId)]) -> Result<BTreeMap<UserId, Counted>, StoreError> {
        let ids = self.tables().user_id_type;
        let mut counted: BTreeMap<UserId, Counted> = BTreeMap::new();
        for row in self.select(mailbox::counted(self.tables(), rows)).await? {
            let Ok((user, part, in_total, in_part)) =
                mysql_async::from_row_opt::<(String, String, u64, u64)>(row)
            else {
                continue;
            };
            let Ok(user) = ids.text(&user) else { continue };
            let counted = counted.entry(user).or_default();
            counted.total += in_total;
            if in_part > 0 {
                counted.parts.insert(part, in_part);
            }
        }
        Ok(counted)
    }
}
