//! Where browsers can be reached.

use std::sync::Arc;

use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::{InvalidPushSubscription, NO_WEB_PUSH, PushSubscription};
use p256::PublicKey;

use crate::config::RefusedHost;
use crate::services::Services;
use crate::store::StoreError;

/// Saves and removes subscriptions. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Subscriptions(Arc<Services>);

/// Why a subscription is not saved or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscriptionError {
    /// Web Push is off.
    #[error("{NO_WEB_PUSH}")]
    Off,
    /// Its push service is not one that is sent to.
    #[error(transparent)]
    Host(#[from] RefusedHost),
    /// Nothing can be encrypted for it.
    #[error("{0}")]
    Key(InvalidPushSubscription),
    /// MySQL.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Subscriptions {
    /// With these services.
    pub(crate) const fn new(services: Arc<Services>) -> Self {
        Self(services)
    }

    /// Whether Web Push is on.
    pub(crate) fn are_used(&self) -> bool {
        self.0.config.web_push.is_some()
    }

    /// Saves a subscription of a user. If it was another user's, it is not theirs any more.
    ///
    /// # Errors
    ///
    /// Why it is not saved.
    pub(crate) async fn save(
        &self,
        user: &UserId,
        subscription: &PushSubscription,
    ) -> Result<(), SubscriptionError> {
        let Services { config, store, .. } = &*self.0;
        let (Some(web_push), Some(store)) = (&config.web_push, store) else {
            return Err(SubscriptionError::Off);
        };
        web_push.hosts.allow(subscription.endpoint())?;
        if PublicKey::from_sec1_bytes(subscription.p256dh()).is_err() {
            return Err(SubscriptionError::Key(InvalidPushSubscription::P256dh));
        }
        Ok(store.save_push_subscription(user, subscription).await?)
    }

    /// Removes a user's subscription with this endpoint. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// Why it is not removed.
    pub(crate) async fn remove(&self, user: &UserId, endpoint: &str) -> Result<bool, SubscriptionError> {
        let Services { config, store, .. } = &*self.0;
        let (Some(_), Some(store)) = (&config.web_push, store) else { return Err(SubscriptionError::Off) };
        Ok(store.remove_push_subscription(user, endpoint).await?)
    }
}
