//! Subscriptions to Web Push. Every change may be repeated.

use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::PushSubscription;

use super::statements::{notified, push};
use super::{Store, StoreError};

/// A subscription, and what its push service has answered last.
#[derive(Clone, Debug)]
pub(crate) struct SavedSubscription {
    /// Where the browser can be reached.
    pub(crate) subscription: PushSubscription,
    /// When it may be tried again, by MySQL's clock.
    pub(crate) next_try_at: u64,
    /// Whether it failed last.
    pub(crate) has_failed: bool,
}

impl Store {
    /// Saves a subscription of a user. If it was another user's, it is not theirs any more.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, or refuses it; so have the others here.
    pub(crate) async fn save_push_subscription(
        &self,
        user: &UserId,
        subscription: &PushSubscription,
    ) -> Result<(), StoreError> {
        self.change(&push::save(user, subscription, self.now().await?)).await.map(drop)
    }

    /// Removes a user's subscription with this endpoint. Returns whether there was one; after an answer that was lost,
    /// there is none any more.
    pub(crate) async fn remove_push_subscription(
        &self,
        user: &UserId,
        endpoint: &str,
    ) -> Result<bool, StoreError> {
        let rows = self.change(&[push::remove(user, endpoint), push::REMOVED.to_owned()]).await?.pop();
        let removed =
            rows.unwrap_or_default().into_iter().find_map(|row| mysql_async::from_row_opt(row).ok());
        Ok(removed.is_some_and(|rows: u64| rows > 0))
    }

    /// The subscriptions of a user, and the time of MySQL's clock.
    pub(crate) async fn push_subscriptions(
        &self,
        user: &UserId,
    ) -> Result<(u64, Vec<SavedSubscription>), StoreError> {
        let mut found = self.read(&[notified::NOW.to_owned(), push::select(user)]).await?.into_iter();
        let now =
            found.next().unwrap_or_default().into_iter().find_map(|row| mysql_async::from_row_opt(row).ok());
        let rows = found.next().unwrap_or_default();
        let saved = rows.into_iter().filter_map(|row| mysql_async::from_row_opt::<SavedRow>(row).ok());
        let saved = saved.filter_map(|(endpoint, p256dh, auth, next_try_at, has_failed)| {
            let subscription = PushSubscription::new(endpoint, &p256dh, &auth).ok()?;
            Some(SavedSubscription { subscription, next_try_at, has_failed })
        });
        Ok((now.unwrap_or_default(), saved.collect()))
    }

    /// Records what a push service has answered: what is wrong, and when to try again.
    pub(crate) async fn record_push_answer(
        &self,
        endpoint: &str,
        wrong: Option<(&str, u64)>,
    ) -> Result<(), StoreError> {
        self.change(&[push::record_answer(endpoint, wrong)]).await.map(drop)
    }

    /// Removes a subscription that its push service does not know any more.
    pub(crate) async fn delete_push_subscription(&self, endpoint: &str) -> Result<(), StoreError> {
        self.change(&[push::delete(endpoint)]).await.map(drop)
    }
}

/// A row as it is read.
type SavedRow = (String, Vec<u8>, Vec<u8>, u64, bool);
