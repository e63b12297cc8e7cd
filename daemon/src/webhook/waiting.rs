//! Tells the application of users for whom messages wait.
//!
//! Nothing is queued here: who is due stands in `chatpush_notified`, and a lease covers the time of a request. So a
//! request that was not answered comes again, under the same id, and what was read meanwhile is not told. Answers are
//! recorded together, as many as have come: so a thousand users are told in few transactions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::outcome::{self, Outcome};
use super::{ANSWERS, LEASE_MARGIN, body, note_answer, waiting_id};
use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::base::slots::Slots;
use crate::broker::lease::Lease;
use crate::config::Webhook;
use crate::notify::NotifyError;
use crate::notify::offers::{self, Offer, Offers, Postponed, Taker};
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::Content;

/// The time between two looks for who is due.
const INTERVAL: Duration = Duration::from_millis(500);

/// Requests at the same time. An application that takes a fifth of a second for each is told of 300 users a second.
const REQUESTS: u16 = 64;

/// A user, and what becomes of the webhook.
type Answered = (Offer, Outcome);

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
        let (outcomes, answers) = mpsc::channel(ANSWERS);
        let requests = self.requests.clone();
        let recording = record(self.services.clone(), answers);
        let sending = async move {
            tokio::select! {
                () = self.send_again_and_again(outcomes) => {}
                () = stop.cancelled() => {}
            }
            requests.close();
            requests.wait().await;
        };
        tokio::join!(sending, recording);
    }

    async fn send_again_and_again(&self, outcomes: mpsc::Sender<Answered>) {
        let mut failures = Backoff::new("Redis and MySQL (webhooks)");
        let mut writes = false;
        loop {
            failures.pause_after(self.send_some(&mut writes, &outcomes).await, INTERVAL).await;
        }
    }

    /// Starts requests for users who are due. True if there may be more. `writes`: whether this daemon was the one that
    /// writes.
    async fn send_some(
        &self,
        writes: &mut bool,
        outcomes: &mpsc::Sender<Answered>,
    ) -> Result<bool, NotifyError> {
        let Some(store) = &self.services.store else { return Ok(false) };
        let slots = self.slots.take().await;
        if !self.lease.is_mine().await? {
            if *writes {
                // Another daemon knows better now.
                self.services.webhook_error.clear();
            }
            *writes = false;
            return Ok(false);
        }
        let time = self.webhook.timeout + LEASE_MARGIN;
        if !*writes {
            self.offers.end_last_writers(store, Taker::Webhook, time).await?;
            *writes = true;
        }
        let limit = u32::try_from(slots.len()).unwrap_or(1);
        let content = if self.shows_content { Content::Whole } else { Content::Start(0) };
        let offers = self.offers.claim(store, (Taker::Webhook, content), limit, time).await?;
        let is_more = offers.len() == slots.len();
        for (offer, slot) in offers.into_iter().zip(slots) {
            let (waiting, outcomes) = (self.clone(), outcomes.clone());
            self.requests.spawn(async move {
                if let Some(outcome) = waiting.send(&offer).await {
                    // It is dropped only with the process; then the lease ends.
                    let _ = outcomes.send((offer, outcome)).await;
                }
                drop(slot);
            });
        }
        Ok(is_more)
    }

    /// One request, and what follows from its answer.
    async fn send(&self, offer: &Offer) -> Option<Outcome> {
        // A process that was stopped may wake up behind the lease: somebody else may have told by now.
        if offer.ends < Instant::now() + self.webhook.timeout {
            return None;
        }
        if let (true, Some(store)) = (fault_injection::breaks(Promise::Told), &self.services.store) {
            _ = offers::told(store, &[offer]).await;
        }
        let default_type = &self.services.config.default_type;
        let body = body::waiting(offer, default_type, self.shows_content);
        let id = waiting_id(&offer.waiting.user, offer.due_at);
        let answer = self.client.post(&self.webhook, &id, body).await;
        note_answer(&self.services.webhook_error, &answer);
        Some(outcome::of(answer, &id, offer.tries, offer.tried_for))
    }
}

/// Records answers, as many together as have come.
async fn record(services: Arc<Services>, mut answers: mpsc::Receiver<Answered>) {
    let Some(store) = &services.store else { return };
    let mut some = Vec::new();
    while answers.recv_many(&mut some, ANSWERS).await > 0 {
        if let Err(error) = record_some(store, &some).await {
            // The leases end, and the same webhooks come again.
            tracing::debug!(%error, "cannot record the answers to webhooks");
        }
        some.clear();
    }
}

async fn record_some(store: &Store, answered: &[Answered]) -> Result<(), NotifyError> {
    let (mut told, mut later) = (Vec::new(), Vec::new());
    for (offer, outcome) in answered {
        match outcome {
            Outcome::Told => told.push(offer),
            Outcome::Later(pause, reason) => {
                later.push(Postponed { offer, pause: *pause, reason: Some(reason) });
            }
        }
    }
    let recorded = offers::told(store, &told).await;
    // What fails in one of them does not stop the other.
    offers::postpone(store, &later).await?;
    recorded
}
