//! Users whom the application is to tell, for operators.

use chatpush_wire::id::UserId;

use super::{Exit, all};
use crate::store::statements::notified::undelivered;
use crate::store::{Store, StoreError};

/// A user whom the application is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// The user.
    pub(crate) user: UserId,
    /// When the user is offered; while leased, the end of the lease.
    pub(crate) at: u64,
    /// Since when the user is due.
    pub(crate) due_at: u64,
    /// How often it was tried to tell somebody.
    pub(crate) tries: u32,
    /// Whether somebody is about to tell: a request, or a job of the application.
    pub(crate) is_leased: bool,
    /// Why the last try has failed.
    pub(crate) error: Option<String>,
}

impl Store {
    /// Users whom the application is to tell, leased or not, at most `limit`, those first whose turn comes first.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub(crate) async fn undelivered(&self, now: u64, limit: u32) -> Result<Vec<Undelivered>, StoreError> {
        let ids = self.names().user_id_type;
        let query = undelivered::select(now, limit, self.exit(Exit::Application));
        let rows = self.read_one(query).await?;
        let found = all::<(String, u64, Option<u64>, u32, bool, Option<String>)>(rows);
        let found = found.filter_map(|(user, at, due_at, tries, is_leased, error)| {
            let (user, due_at) = (ids.text(&user).ok()?, due_at.unwrap_or(at));
            Some(Undelivered { user, at, due_at, tries, is_leased, error })
        });
        Ok(found.collect())
    }

    /// Offers users at once, unless somebody has begun to tell. They are not too many for one statement.
    ///
    /// # Errors
    ///
    /// As [`Store::change`].
    pub(crate) async fn offer_now(&self, offered: &[&Undelivered], now: u64) -> Result<(), StoreError> {
        let at: Vec<_> = offered.iter().map(|found| (&found.user, found.at)).collect();
        self.change(&[undelivered::offer_now(&at, now)]).await.map(drop)
    }
}
