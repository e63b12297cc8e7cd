//! Users with new unread messages, where users are told of these.

use std::collections::BTreeMap;

use chatpush_wire::id::UserId;
use mysql_async::Row;

use super::all;
use crate::log::newly_unread::NewMessages;
use crate::store::statements::notified;
use crate::store::{Store, StoreError};

/// Users in one statement.
const USERS: usize = 500;

impl Store {
    /// Notes users who have new unread messages, and returns whom: not those whose row another transaction has locked.
    /// Whoever has no more unread messages than came since somebody was told had read before, and is told again.
    /// MySQL's clock is `ahead` of that of the messages, in milliseconds.
    ///
    /// # Errors
    ///
    /// If a statement fails. It may be repeated.
    pub(crate) async fn note_unread(
        &self,
        new: &BTreeMap<UserId, NewMessages>,
        ahead: i64,
    ) -> Result<BTreeMap<UserId, NewMessages>, StoreError> {
        let mut done = BTreeMap::new();
        let all: Vec<_> = new.keys().collect();
        for users in all.chunks(USERS) {
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
            let users: Vec<_> = users.iter().copied().filter(|user| is_free(user)).collect();
            let read: Vec<_> = self
                .told_unread(next())
                .filter(|(user, at, unread)| {
                    let since = new.get(user).map_or(0, |new| new.after(at.saturating_add_signed(-ahead)));
                    is_free(user) && usize::try_from(*unread).unwrap_or(0) <= since
                })
                .collect();
            let read: Vec<_> = read.iter().map(|(user, at, _)| (user, *at)).collect();
            if !users.is_empty() {
                self.change(&notified::note_unread(&users, &read)).await?;
            }
            done.extend(users.into_iter().filter_map(|user| Some((user.clone(), new.get(user)?.clone()))));
        }
        Ok(done)
    }

    fn told_unread(&self, rows: Vec<Row>) -> impl Iterator<Item = (UserId, u64, i64)> {
        let ids = self.names().user_id_type;
        all::<(String, u64, i64)>(rows)
            .filter_map(move |(user, at, unread)| Some((ids.text(&user).ok()?, at, unread)))
    }
}
