//! Tells the application of users for whom messages wait.
//!
//! Nothing is queued here: who is due stands in `chatpush_notified`, and a lease covers the time of a request. So a
//! request that was not answered comes again, under the same id, and what was read meanwhile is not told.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Answer, Client};
use super::{FEWEST_TRIES, LEASE_MARGIN, body, note_answer, waiting_id};
use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::base::slots::Slots;
use crate::base::{metrics, pause};
use crate::broker::lease::Lease;
use crate::config::Webhook;
use crate::notify::NotifyError;
use crate::notify::offers::{self, Offer, Offers, Taker};
use crate::services::Services;

/// The time between two looks for who is due.
const INTERVAL: Duration = Duration::from_millis(500);

/// Requests at the same time.
const REQUESTS: u16 = 16;

/// Sends webhooks while this daemon is the one that writes. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    services: Arc<Services>,
    lease: Lease,
    offers: Offers,
    shows_content: bool,
    webhook: Arc<Webhook>,
    client: Client,
    slots: Slots,
    requests: TaskTracker,
}

impl Waiting {
    pub(super) fn new(
        services: Arc<Services>,
        lease: Lease,
        offers: Offers,
        shows_content: bool,
        (webhook, client): (Arc<Webhook>, Client),
    ) -> Self {
        let slots = Slots::new(REQUESTS);
        Self { services, lease, offers, shows_content, webhook, client, slots, requests: TaskTracker::new() }
    }

    /// Sends, until `stop` is cancelled. Requests under way are finished then.
    pub(super) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.send_again_and_again() => {}
            () = stop.cancelled() => {}
        }
        self.requests.close();
        self.requests.wait().await;
    }

    async fn send_again_and_again(&self) {
        let mut failures = Backoff::new("Redis and MySQL (webhooks)");
        let mut writes = false;
        loop {
            failures.pause_after(self.send_some(&mut writes).await, INTERVAL).await;
        }
    }

    /// Starts requests for users who are due. True if there may be more. `writes`: whether this daemon was the one that
    /// writes.
    async fn send_some(&self, writes: &mut bool) -> Result<bool, NotifyError> {
        let Some(store) = &self.services.store else { return Ok(false) };
        let slots = self.slots.take().await;
        if !self.lease.is_mine().await? {
            *writes = false;
            return Ok(false);
        }
        if !*writes {
            self.offers.end_last_writers(store, Taker::Webhook).await?;
            *writes = true;
        }
        let limit = u32::try_from(slots.len()).unwrap_or(1);
        let time = self.webhook.timeout + LEASE_MARGIN;
        let offers = self.offers.claim(store, Taker::Webhook, limit, time).await?;
        let is_more = offers.len() == slots.len();
        for (offer, slot) in offers.into_iter().zip(slots) {
            let waiting = self.clone();
            self.requests.spawn(async move {
                waiting.send(offer).await;
                drop(slot);
            });
        }
        Ok(is_more)
    }

    /// One request, and what follows from its answer.
    async fn send(&self, offer: Offer) {
        let Some(store) = &self.services.store else { return };
        // A process that was stopped may wake up behind the lease: somebody else may have told by now.
        if offer.ends < Instant::now() + self.webhook.timeout {
            return;
        }
        if fault_injection::breaks(Promise::Told) {
            _ = offers::told(store, &offer).await;
        }
        let default_type = &self.services.config.default_type;
        let body = body::waiting(&offer, default_type, self.shows_content);
        let id = waiting_id(&offer.waiting.user, offer.due_at);
        let answer = self.client.post(&self.webhook, &id, body).await;
        note_answer(&self.services.webhook_error, &answer);
        let told = |outcome: &'static str| {
            metrics::WEBHOOKS.increment(outcome);
            offers::told(store, &offer)
        };
        let recorded = match answer {
            Answer::Accepted => told("delivered").await,
            Answer::Gone => {
                tracing::warn!(id, "the application has answered 410: this webhook is not sent again");
                told("gone").await
            }
            Answer::Failed { reason, .. }
                if pause::is_over(offer.tries + 1, FEWEST_TRIES, offer.tried_for) =>
            {
                tracing::warn!(id, reason, "a webhook was not accepted for a day, and is given up");
                told("given_up").await
            }
            Answer::Failed { reason, retry_after } => {
                tracing::info!(id, reason, tries = offer.tries + 1, "a webhook was not accepted");
                metrics::WEBHOOKS.increment("failed");
                let pause = retry_after.unwrap_or_else(|| pause::after(offer.tries));
                offers::postpone(store, &offer, pause).await
            }
        };
        if let Err(error) = recorded {
            // The lease ends, and the same webhook comes again.
            tracing::debug!(id, %error, "cannot record the answer to a webhook");
        }
    }
}
