//! Webhooks and notifications that fail, with their last error.

use std::time::Duration;

use tokio::time::timeout;

use crate::base::clock;
use crate::config::{Config, Event, Webhook};
use crate::ops::state;
use crate::services::Services;
use crate::store::StoreError;
use crate::store::failing::FailingWebhook;

/// From when on it counts as one that a webhook is not accepted.
const FAILING: Duration = Duration::from_secs(300);

/// What could not be told.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// By MySQL's clock.
    now: u64,
    /// The webhook that fails for longest.
    pub(super) webhook: Option<FailingWebhook>,
    /// Why a browser of a user who is due could not be told.
    pub(super) push: Option<String>,
}

impl Failures {
    /// Nothing is known while MySQL cannot be used, which is another problem.
    pub(super) async fn read(services: &Services) -> Self {
        let read = timeout(state::TIMEOUT, Self::try_read(services)).await;
        read.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn try_read(services: &Services) -> Result<Self, StoreError> {
        let mut failures = Self::default();
        let Some(store) = &services.store else { return Ok(failures) };
        let Config { notify, webhook, web_push, .. } = &services.config;
        if let Some(Webhook { events, .. }) = webhook {
            let due = notify.is_some() && events.has(Event::Waiting);
            failures.now = store.now().await?;
            failures.webhook = store.failing_webhook(due, events.are_queued()).await?;
        }
        if web_push.is_some() {
            failures.push = store.push_error().await?;
        }
        Ok(failures)
    }

    /// One try that fails is none: the next one may succeed.
    pub(super) fn problem(&self) -> Option<String> {
        let FailingWebhook { since, tries, error } = self.webhook.as_ref()?;
        let fails_for = Duration::from_millis(self.now.saturating_sub(*since));
        (fails_for >= FAILING).then(|| {
            format!(
                "a webhook was not accepted in {tries} tries since {} ({error}): chatpushd webhook list, and \
                 chatpushd webhook test",
                clock::rfc3339(*since)
            )
        })
    }
}
