//! Tells all browsers of one user.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::client::{Answer, Client, TIMEOUT};
use super::payload;
use super::push_services::{Busy, PushServices};
use super::warnings::Warnings;
use crate::base::{clock, metrics, pause};
use crate::config::WebPush;
use crate::notify::offers::Offer;
use crate::services::Services;
use crate::store::push_subscriptions::SavedSubscription;
use crate::store::{Store, StoreError};

/// Requests at the same time, to all push services.
const REQUESTS: usize = 32;

/// How soon it is tried again to reach a push service that has enough requests.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Sends to push services. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    services: Arc<Services>,
    web_push: Arc<WebPush>,
    client: Client,
    push_services: PushServices,
    requests: Arc<Semaphore>,
    warnings: Warnings,
}

/// What became of it for one browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    /// The browser cannot be reached by Web Push.
    Never,
    /// It could not be tried: try again after this time.
    Busy(Duration),
    /// It failed: try again after this time.
    Failed(Duration),
}

/// What became of it for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// At least one browser is told, and all were tried.
    Yes,
    /// No browser can be reached, so that others are to tell the user.
    Never,
    /// One could not be tried: try again after this time. A browser that is told twice shows it once.
    Busy(Duration),
    /// None was told: try again after this time.
    Failed(Duration),
}

impl Delivery {
    pub(super) fn new(services: Arc<Services>, web_push: Arc<WebPush>, client: Client) -> Self {
        Self {
            services,
            web_push,
            client,
            push_services: PushServices::default(),
            requests: Arc::new(Semaphore::new(REQUESTS)),
            warnings: Warnings::default(),
        }
    }

    /// Tells the browsers of a user who is leased. No request begins that could outlast the lease.
    pub(super) async fn tell(&self, store: &Store, offer: &Offer) -> Result<Told, StoreError> {
        let (now, subscriptions) = store.push_subscriptions(&offer.waiting.user).await?;
        let default_type = &self.services.config.default_type;
        let payload = payload::of(&offer.waiting, &self.web_push.notification, default_type);
        let last_start = offer.ends.checked_sub(TIMEOUT * 2).unwrap_or(offer.ends);
        let try_one =
            |saved, until| self.send(store, saved, &payload, (now, offer.tries), (until, last_start));
        let tried = join_all(subscriptions.iter().map(|saved| try_one(saved, Instant::now()))).await;
        let mut outcomes: Vec<_> = tried.into_iter().collect::<Result<_, _>>()?;
        if outcomes.contains(&Outcome::Accepted) {
            // The others are told at the same time, so their turn is waited for.
            let busy = subscriptions.iter().zip(&mut outcomes);
            let busy = busy.filter(|(_, outcome)| matches!(outcome, Outcome::Busy(_)));
            let try_one = &try_one;
            let tried = join_all(busy.map(|(saved, outcome)| async move {
                *outcome = try_one(saved, last_start).await?;
                Ok::<_, StoreError>(())
            }));
            tried.await.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(together(&outcomes))
    }

    /// Sends to one browser, and records what follows from the answer. The turn of its push service is waited for until
    /// `until`, and no request begins behind `last_start`.
    async fn send(
        &self,
        store: &Store,
        saved: &SavedSubscription,
        payload: &str,
        (now, tries): (u64, u32),
        (until, last_start): (Instant, Instant),
    ) -> Result<Outcome, StoreError> {
        let endpoint = saved.subscription.endpoint();
        if let Some(left) = saved.next_try_at.checked_sub(now).filter(|left| *left > 0) {
            return Ok(Outcome::Failed(Duration::from_millis(left)));
        }
        // The list may have changed since it was saved.
        let Ok(url) = self.web_push.hosts.allow(endpoint) else { return Ok(Outcome::Never) };
        let host = url.authority().to_owned();
        let own_pause = pause::after(tries);
        // First the one of its push service: who waits for a slow one keeps no request from others.
        let permit = match self.push_services.acquire(&host, until).await {
            Ok(permit) => permit,
            Err(Busy::Full) => return Ok(Outcome::Busy(BUSY_PAUSE)),
            Err(Busy::Down(left)) => return Ok(Outcome::Failed(own_pause.max(left))),
        };
        let Ok(Ok(_request)) = timeout_at(last_start, self.requests.acquire()).await else {
            return Ok(Outcome::Busy(BUSY_PAUSE));
        };
        let answer = self.client.post(url, &saved.subscription, payload).await;
        permit.answered(!matches!(answer, Answer::Silent(_)));
        drop(permit);
        let counted = |outcome| metrics::WEB_PUSHES.increment(outcome);
        let (reason, pause) = match answer {
            Answer::Accepted => {
                counted("accepted");
                if saved.has_failed {
                    store.record_push_answer(endpoint, None).await?;
                }
                return Ok(Outcome::Accepted);
            }
            Answer::Gone => {
                counted("gone");
                store.delete_push_subscription(endpoint).await?;
                return Ok(Outcome::Never);
            }
            Answer::Rejected(reason) => {
                counted("rejected");
                self.warn(&host, &reason, "a push service does not take a notification");
                store.record_push_answer(endpoint, Some((&reason, 0))).await?;
                return Ok(Outcome::Never);
            }
            Answer::Unauthorized(reason) => {
                counted("unauthorized");
                let text = "a push service does not take the key of this installation: see [web_push]";
                self.warn(&host, &reason, text);
                (reason, own_pause)
            }
            Answer::Later { reason, retry_after } => {
                counted("failed");
                (reason, retry_after.unwrap_or(own_pause))
            }
            Answer::Silent(reason) => {
                counted("failed");
                (reason, own_pause)
            }
        };
        tracing::info!(host, reason, tries = tries + 1, "a push service has not taken a notification");
        let next = now.saturating_add(clock::milliseconds(pause));
        store.record_push_answer(endpoint, Some((&reason, next))).await?;
        Ok(Outcome::Failed(pause))
    }

    fn warn(&self, host: &str, reason: &str, text: &'static str) {
        if self.warnings.are_due(host, text) {
            tracing::warn!(host, reason, "{text}");
        }
    }
}

/// What became of it for the user of these browsers.
fn together(outcomes: &[Outcome]) -> Told {
    let failed = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed(pause) => Some(*pause),
        _ => None,
    });
    let busy = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Busy(pause) => Some(*pause),
        _ => None,
    });
    match (busy.min(), failed.min()) {
        (Some(pause), _) => Told::Busy(pause),
        _ if outcomes.contains(&Outcome::Accepted) => Told::Yes,
        (None, Some(pause)) => Told::Failed(pause),
        (None, None) => Told::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_browser_is_enough_and_the_first_to_try_again_counts() {
        let seconds = Duration::from_secs;
        let (failed, busy) = (|after| Outcome::Failed(seconds(after)), Outcome::Busy(seconds(1)));
        for (outcomes, told) in [
            (&[][..], Told::Never),
            (&[Outcome::Never], Told::Never),
            (&[failed(3), Outcome::Accepted, Outcome::Never], Told::Yes),
            (&[failed(3), failed(2), Outcome::Never], Told::Failed(seconds(2))),
            (&[failed(3), busy], Told::Busy(seconds(1))),
            (&[Outcome::Accepted, busy], Told::Busy(seconds(1))),
        ] {
            assert_eq!(together(outcomes), told);
        }
    }
}
