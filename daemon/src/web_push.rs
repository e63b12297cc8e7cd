//! Tells browsers, by Web Push, of users for whom messages wait (RFC 8030, 8291, 8292).
//!
//! As for webhooks, nothing is queued here: who is due stands in `chatpush_notified`, and a lease covers the time of
//! the requests. Whoever has no browser that can be reached is left to the application.
//!
//! `subscriptions` keeps where browsers can be reached. `delivery` tells those of one user: `payload` is what they
//! are sent, `vapid` says who sends, `client` speaks HTTP, and `resolver` leads it to public addresses alone.
//! `push_services` keeps one that is dead from holding up the others, and `settled` a browser from being told twice while
//! another waits for its turn. `warnings` keeps the log from filling up.

mod client;
mod delivery;
mod payload;
mod push_services;
mod resolver;
mod settled;
pub(crate) mod subscriptions;
mod vapid;
mod warnings;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::client::{Client, ClientError};
use self::delivery::{Delivery, Told};
use crate::barrier::Barrier;
use crate::base::backoff::Backoff;
use crate::base::slots::Slots;
use crate::base::{metrics, pause};
use crate::broker::lease::Lease;
use crate::config::{Notify, WebPush};
use crate::notify::NotifyError;
use crate::notify::offers::{self, Offer, Offers, Postponed, Taker};
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::Content;

/// The time between two looks for who is due.
const INTERVAL: Duration = Duration::from_millis(500);

/// Users who are told at the same time.
const USERS: u16 = 32;

/// No more of a content is shown; one more says that there is more.
const CONTENT: Content = Content::Start(payload::CONTENT_CHARACTERS + 1);

/// How long a user is leased: no request begins in its last 20 seconds.
const LEASE_TIME: Duration = Duration::from_secs(40);

/// How often it is tried at least to tell a user of one reason; then the application may. A push service may ask for
/// pauses of a day.
const FEWEST_TRIES: u32 = 3;

/// Whether push services can be reached with these settings, as far as that shows without a request.
///
/// # Errors
///
/// When `web_push.ca` cannot be read, or holds no certificate.
pub(crate) fn check(web_push: &WebPush) -> Result<(), ClientError> {
    Client::new(web_push).map(drop)
}

/// Tells browsers while this daemon is the one that writes. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct WebPushes {
    services: Arc<Services>,
    lease: Lease,
    offers: Offers,
    delivery: Delivery,
    slots: Slots,
    tasks: TaskTracker,
}

impl WebPushes {
    /// # Errors
    ///
    /// When `web_push.ca` or TLS cannot be used.
    pub(crate) fn new(
        services: &Arc<Services>,
        lease: Lease,
        barrier: &Barrier,
        notify: Notify,
        web_push: WebPush,
    ) -> Result<Self, ClientError> {
        let client = Client::new(&web_push)?;
        Ok(Self {
            lease,
            offers: Offers::new(services.clone(), barrier.clone(), notify),
            delivery: Delivery::new(services.clone(), Arc::new(web_push), client),
            services: services.clone(),
            slots: Slots::new(USERS),
            tasks: TaskTracker::new(),
        })
    }

    /// Tells, until `stop` is cancelled. Requests under way are finished then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.tell_again_and_again() => {}
            () = stop.cancelled() => {}
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn tell_again_and_again(&self) {
        let mut failures = Backoff::new("Redis and MySQL (Web Push)");
        let mut writes = false;
        loop {
            failures.pause_after(self.tell_some(&mut writes).await, INTERVAL).await;
        }
    }

    /// Begins to tell users who are due. True if there may be more. `writes`: whether this daemon was the one that
    /// writes.
    async fn tell_some(&self, writes: &mut bool) -> Result<bool, NotifyError> {
        let Some(store) = &self.services.store else { return Ok(false) };
        let slots = self.slots.take().await;
        if !self.lease.is_mine().await? {
            *writes = false;
            return Ok(false);
        }
        if !*writes {
            self.offers.end_last_writers(store, Taker::WebPush, LEASE_TIME).await?;
            *writes = true;
        }
        let limit = u32::try_from(slots.len()).unwrap_or(1);
        let offers = self.offers.claim(store, (Taker::WebPush, CONTENT), limit, LEASE_TIME).await?;
        let is_more = offers.len() == slots.len();
        for (offer, slot) in offers.into_iter().zip(slots) {
            let (web_pushes, store) = (self.clone(), store.clone());
            self.tasks.spawn(async move {
                if let Err(error) = web_pushes.tell(&store, &offer).await {
                    // The lease ends, and the user is offered again.
                    tracing::debug!(user = %offer.waiting.user, %error, "cannot tell a user by Web Push");
                }
                drop(slot);
            });
        }
        Ok(is_more)
    }

    /// Tells a user, and records what became of it.
    async fn tell(&self, store: &Store, offer: &Offer) -> Result<(), NotifyError> {
        let user = &offer.waiting.user;
        let told = self.delivery.tell(store, offer).await?;
        match told {
            Told::Yes => offers::told(store, &[offer]).await,
            Told::Never => offers::leave_to_application(store, offer).await,
            Told::Failed(_) if pause::is_over(offer.tries + 1, FEWEST_TRIES, offer.tried_for) => {
                tracing::warn!(%user, "no push service has taken a notification for a day");
                metrics::WEB_PUSHES.increment("given_up");
                offers::leave_to_application(store, offer).await
            }
            Told::Busy(pause) => return offers::release(store, offer, pause).await,
            Told::Failed(pause) => offers::postpone(store, &[Postponed { offer, pause, reason: None }]).await,
        }?;
        self.delivery.recorded(offer);
        Ok(())
    }
}
