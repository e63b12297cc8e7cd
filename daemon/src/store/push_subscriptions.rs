//! Subscriptions to Web Push. Every change may be repeated.

use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::PushSubscription;

use super::statements::push;
use super::{Store, StoreError};

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

    /// Removes a user's subscription with this endpoint, if there is one.
    pub(crate) async fn remove_push_subscription(
        &self,
        user: &UserId,
        endpoint: &str,
    ) -> Result<(), StoreError> {
        self.change(&[push::remove(user, endpoint)]).await.map(drop)
    }
}
