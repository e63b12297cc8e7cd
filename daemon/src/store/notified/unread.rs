//! Users with new unread messages, where users are told of these.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chatpush_wire::id::UserId;
use mysql_async::Row;

use super::all;
use crate::base::clock::milliseconds;
use crate::log::newly_unread::NewMessages;
use crate::store::statements::notified::{self, search};
use crate::store::{Store, StoreError};

/// Users in one statement.
const USERS: usize = 500;

impl Store {
    /// Notes users who have new unread messages, and returns whom: not those whose row another transaction has locked.
    /// Whoever has no more unread messages than came since somebody was told had read before, and is told again.
    /// MySQL's clock is `ahead` of that of the messages, in milliseconds. They are looked at after a `delay`.
    ///
    /// # Errors
    ///
    /// If a statement fails. It may be repeated.
    pub(crate) async fn note_unread(
        &self,
        new: &BTreeMap<UserId, NewMessages>,
        ahead: i64,
        delay: Duration,
    ) -> Result<BTreeMap<UserId, NewMessages>, StoreError> {
        let mut done = BTreeMap::new();
        let all: Vec<_> = new.keys().collect();
        for users in all.chunks(USERS) {
            let settled = self.settled(users, new, ahead).await?;
            let others: Vec<_> = users.iter().copied().filter(|user| !settled.contains(*user)).collect();
            let noted = self.note_free(&others, (new, ahead), delay).await?;
            let done_now = users.iter().filter(|user| settled.contains(**user) || noted.contains(**user));
            done.extend(done_now.filter_map(|user| Some(((*user).clone(), new.get(*user)?.clone()))));
        }
        Ok(done)
    }

    /// Those of these users whom that would leave as they are: most of them, of whom nothing is locked. It is read from
    /// the server that is written to, since others may be behind.
    async fn settled(
        &self,
        users: &[&UserId],
        new: &BTreeMap<UserId, NewMessages>,
        ahead: i64,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let rows = self.change(&[search::settled(users)]).await?.pop().unwrap_or_default();
        let ids = self.names().user_id_type;
        let mut settled = BTreeSet::new();
        let mut told = Vec::new();
        for (user, told_at) in all::<(String, Option<u64>)>(rows) {
            let Ok(user) = ids.text(&user) else { continue };
            if told_at.is_some() {
                told.push(user.clone());
            }
            settled.insert(user);
        }
        if !told.is_empty() {
            let told: Vec<_> = told.iter().collect();
            let rows = self.change(&[notified::select_told_unread(self.names(), &told)]).await?.pop();
            for (user, _) in self.had_read(rows.unwrap_or_default(), new, ahead) {
                settled.remove(&user);
            }
        }
        Ok(settled)
    }

    /// Notes those of these users whose row no other transaction has locked, and returns them.
    async fn note_free(
        &self,
        users: &[&UserId],
        (new, ahead): (&BTreeMap<UserId, NewMessages>, i64),
        delay: Duration,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        if users.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut found = self
            .change(&[
                notified::select_noted(users),
                notified::select_unlocked_noted(users),
                notified::select_told_unread(self.names(), users),
            ])
            .await?
            .into_iter();
        let mut next = || found.next().unwrap_or_default();
        let (noted, unlocked) = (self.users(next()), self.users(next()));
        let is_free = |user: &UserId| unlocked.contains(user) || !noted.contains(user);
        let free: Vec<_> = users.iter().copied().filter(|user| is_free(user)).collect();
        let read = self.had_read(next(), new, ahead);
        let read: Vec<_> =
            read.iter().filter(|(user, _)| is_free(user)).map(|(user, at)| (user, *at)).collect();
        if !free.is_empty() {
            self.change(&notified::note_unread(&free, &read, milliseconds(delay))).await?;
        }
        Ok(free.into_iter().cloned().collect())
    }

    /// Who, of those of whom somebody was told, had read, and when somebody was told.
    fn had_read(
        &self,
        rows: Vec<Row>,
        new: &BTreeMap<UserId, NewMessages>,
        ahead: i64,
    ) -> Vec<(UserId, u64)> {
        let ids = self.names().user_id_type;
        let told = all::<(String, u64, i64)>(rows)
            .filter_map(|(user, at, unread)| Some((ids.text(&user).ok()?, at, unread)));
        let read = told.filter(|(user, at, unread)| {
            let since = new.get(user).map_or(0, |new| new.after(at.saturating_add_signed(-ahead)));
            usize::try_from(*unread).unwrap_or(0) <= since
        });
        read.map(|(user, at, _)| (user, at)).collect()
    }
}
