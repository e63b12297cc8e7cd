//! Tells the application of what has happened: the events in `chatpush_webhook`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::outcome::{self, Outcome};
use super::{ANSWERS, LEASE_MARGIN, body, note_answer, queued_id};
use crate::base::backoff::Backoff;
use crate::base::fault_injection::{self, Promise};
use crate::base::slots::Slots;
use crate::base::{clock, metrics};
use crate::broker::lease::Lease;
use crate::config::Webhook;
use crate::notify::NotifyError;
use crate::services::Services;
use crate::store::Store;
use crate::store::webhook_events::{LeasedEvent, MOST_EVENTS};

/// The time between two looks for events.
const INTERVAL: Duration = Duration::from_millis(250);

/// The time between two looks whether too many wait.
const EXCESS_INTERVAL: Duration = Duration::from_secs(1);

/// Requests at the same time.
const REQUESTS: u16 = 16;

/// Sends queued events while this daemon is the one that writes. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    services: Arc<Services>,
    lease: Lease,
    webhook: Arc<Webhook>,
    client: Client,
    slots: Slots,
    requests: TaskTracker,
}

/// An event, and what becomes of it.
type Answered = (LeasedEvent, Outcome);

impl Queued {
    pub(super) fn new(services: Arc<Services>, lease: Lease, webhook: Arc<Webhook>, client: Client) -> Self {
        let slots = Slots::new(REQUESTS);
        Self { services, lease, webhook, client, slots, requests: TaskTracker::new() }
    }

    /// Sends, until `stop` is cancelled. Requests under way are finished then.
    pub(super) async fn run(self, stop: CancellationToken) {
        let (outcomes, answers) = mpsc::channel(ANSWERS);
        let requests = self.requests.clone();
        let recording = record(self.services.clone(), answers);
        let (bounded, stopped) = (self.clone(), stop.clone());
        let bounding = async move {
            tokio::select! {
                () = bounded.bound_again_and_again() => {}
                () = stopped.cancelled() => {}
            }
        };
        let sending = async move {
            tokio::select! {
                () = self.send_again_and_again(outcomes) => {}
                () = stop.cancelled() => {}
            }
            requests.close();
            requests.wait().await;
        };
        tokio::join!(sending, bounding, recording);
    }

    async fn send_again_and_again(&self, outcomes: mpsc::Sender<Answered>) {
        let mut failures = Backoff::new("Redis and MySQL (webhook events)");
        let mut writes = false;
        loop {
            failures.pause_after(self.send_some(&mut writes, &outcomes).await, INTERVAL).await;
        }
    }

    /// Gives events up while too many wait. It waits for no request.
    async fn bound_again_and_again(&self) {
        let mut failures = Backoff::new("Redis and MySQL (too many webhook events)");
        loop {
            failures.pause_after(self.bound().await, EXCESS_INTERVAL).await;
        }
    }

    /// One step. True if there may be more.
    async fn bound(&self) -> Result<bool, NotifyError> {
        let Some(store) = &self.services.store else { return Ok(false) };
        Ok(self.lease.is_mine().await? && drop_excess(store).await? > 0)
    }

    /// Starts requests for events. True if there may be more. `writes`: whether this daemon was the one that writes.
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
        if !*writes {
            // The last writer may have ended in the middle of a request.
            store.end_event_leases().await?;
            *writes = true;
        }
        let limit = u32::try_from(slots.len()).unwrap_or(1);
        let time = self.webhook.timeout + LEASE_MARGIN;
        let ends = Instant::now() + time;
        let now = store.now().await?;
        let until = now.saturating_add(clock::milliseconds(time));
        let (leased, is_more) = store.lease_events(now, until, limit).await?;
        for (event, slot) in leased.into_iter().zip(slots) {
            let (queued, outcomes) = (self.clone(), outcomes.clone());
            self.requests.spawn(async move {
                if let Some(outcome) = queued.send(event, ends).await {
                    // It is dropped only with the process; then the lease ends.
                    let _ = outcomes.send(outcome).await;
                }
                drop(slot);
            });
        }
        Ok(is_more)
    }

    /// One request, and what follows from its answer.
    async fn send(&self, leased: LeasedEvent, ends: Instant) -> Option<Answered> {
        // A process that was stopped may wake up behind the lease: somebody else may have told by now.
        if ends < Instant::now() + self.webhook.timeout {
            return None;
        }
        if let (true, Some(store)) = (fault_injection::breaks(Promise::Events), &self.services.store) {
            _ = store.record_events(0, std::slice::from_ref(&leased), &[]).await;
        }
        let event = &leased.event;
        let id = if fault_injection::breaks(Promise::WebhookId) {
            format!("{}-{}", queued_id(event), event.tries)
        } else {
            queued_id(event)
        };
        let answer = self.client.post(&self.webhook, &id, body::event(event)).await;
        note_answer(&self.services.webhook_error, &answer);
        let outcome = outcome::of(answer, &id, event.tries, leased.tried_for);
        Some((leased, outcome))
    }
}

/// Gives the oldest events up where too many wait, some at a time. Returns how many.
async fn drop_excess(store: &Store) -> Result<u64, NotifyError> {
    let dropped = store.drop_excess_events().await?;
    if dropped > 0 {
        metrics::WEBHOOKS.add("dropped", usize::try_from(dropped).unwrap_or(usize::MAX));
        tracing::warn!(dropped, "more than {MOST_EVENTS} webhooks wait: the oldest ones are given up");
    }
    Ok(dropped)
}

/// Records answers, as many together as have come.
async fn record(services: Arc<Services>, mut answers: mpsc::Receiver<Answered>) {
    let Some(store) = &services.store else { return };
    let mut some = Vec::new();
    while answers.recv_many(&mut some, ANSWERS).await > 0 {
        if let Err(error) = record_some(store, std::mem::take(&mut some)).await {
            // The leases end, and the same webhooks come again.
            tracing::debug!(%error, "cannot record the answers to webhooks");
        }
    }
}

async fn record_some(store: &Store, outcomes: Vec<Answered>) -> Result<(), NotifyError> {
    let now = store.now().await?;
    let (mut told, mut later) = (Vec::new(), Vec::new());
    for (event, outcome) in outcomes {
        match outcome {
            Outcome::Told => told.push(event),
            Outcome::Later(pause, reason) => {
                later.push((event, now.saturating_add(clock::milliseconds(pause)), reason));
            }
        }
    }
    Ok(store.record_events(now, &told, &later).await?)
}
