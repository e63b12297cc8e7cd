//! Tells all browsers of one user.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::client::{Answer, Client, TIMEOUT};
use super::payload;
use super::push_services::{Busy, PushServices};
use super::settled::Settled;
use super::warnings::Warnings;
use crate::base::{clock, metrics, pause};
use crate::config::WebPush;
use crate::notify::offers::Offer;
use crate::services::Services;
use crate::store::push_subscriptions::SavedSubscription;
use crate::store::{Store, StoreError};

/// Sends to push services. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    services: Arc<Services>,
    web_push: Arc<WebPush>,
    client: Client,
    push_services: PushServices,
    settled: Settled,
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
    /// One could not be tried: try again after this time. The others are not told again.
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
            settled: Settled::default(),
            warnings: Warnings::default(),
        }
    }

    /// Tells the browsers of a user who is leased, but for those that were told in an earlier lease. Nobody waits for
    /// the turn of a push service: whoever is told later is leased again, which looks whether they are still due.
    pub(super) async fn tell(&self, store: &Store, offer: &Offer) -> Result<Told, StoreError> {
        let user = &offer.waiting.user;
        let (now, subscriptions) = store.push_subscriptions(user).await?;
        let default_type = &self.services.config.default_type;
        let payload = payload::of(&offer.waiting, &self.web_push.notification, default_type);
        let settled = self.settled.of(user, offer.due_at);
        let settled = &settled;
        let tried = subscriptions.iter().map(|saved| {
            let payload = &payload;
            async move {
                match settled.get(saved.subscription.endpoint()) {
                    Some(true) => Ok(Outcome::Accepted),
                    Some(false) => Ok(Outcome::Never),
                    None => self.send(store, saved, payload, (now, offer)).await,
                }
            }
        });
        let outcomes: Vec<_> = join_all(tried).await.into_iter().collect::<Result<_, _>>()?;
        Ok(together(&outcomes))
    }

    /// What became of it is recorded for the user, who is not to be told of this any more, or anew.
    pub(super) fn recorded(&self, offer: &Offer) {
        self.settled.forget(&offer.waiting.user, offer.due_at);
    }

    /// Sends to one browser, and records what follows from the answer.
    async fn send(
        &self,
        store: &Store,
        saved: &SavedSubscription,
        payload: &str,
        (now, offer): (u64, &Offer),
    ) -> Result<Outcome, StoreError> {
        let endpoint = saved.subscription.endpoint();
        if let Some(left) = saved.next_try_at.checked_sub(now).filter(|left| *left > 0) {
            return Ok(Outcome::Failed(Duration::from_millis(left)));
        }
        // The list may have changed since it was saved.
        let Ok(url) = self.web_push.hosts.allow(endpoint) else { return Ok(Outcome::Never) };
        let host = url.authority().to_owned();
        let tries = offer.tries;
        let own_pause = pause::after(tries);
        // A process that was stopped may wake up behind the lease: somebody else may have told by now.
        if Instant::now() + TIMEOUT * 2 > offer.ends {
            return Ok(Outcome::Busy(Duration::ZERO));
        }
        let permit = match self.push_services.acquire(&host) {
            Ok(permit) => permit,
            Err(Busy::Full(turn)) => return Ok(Outcome::Busy(turn)),
            Err(Busy::Down(left)) => return Ok(Outcome::Failed(own_pause.max(left))),
        };
        let answer = self.client.post(url, &saved.subscription, payload).await;
        permit.answered(!matches!(answer, Answer::Silent(_)));
        drop(permit);
        let counted = |outcome| metrics::WEB_PUSHES.increment(outcome);
        let settle = |accepted| self.settled.add(&offer.waiting.user, offer.due_at, endpoint, accepted);
        let (reason, pause) = match answer {
            Answer::Accepted => {
                counted("accepted");
                settle(true);
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
                settle(false);
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
