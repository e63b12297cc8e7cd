//! What is told in vain, for operators.

use super::notified::Exit;
use super::statements::{notified, webhook_events};
use super::{Store, StoreError};

/// A webhook that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailingWebhook {
    /// Since when, in milliseconds since 1970, by MySQL's clock.
    pub(crate) since: u64,
    /// How often it was tried.
    pub(crate) tries: u32,
    /// Why the last try has failed.
    pub(crate) error: String,
}

impl Store {
    /// The webhook that waits and fails for longest: of users who are `due`, and of `events`.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub(crate) async fn failing_webhook(
        &self,
        due: bool,
        events: bool,
    ) -> Result<Option<FailingWebhook>, StoreError> {
        let mut queries = Vec::new();
        if due {
            queries.push(notified::undelivered::select_failing(self.exit(Exit::Application)));
        }
        if events {
            queries.push(webhook_events::select_failing());
        }
        let rows = self.read(&queries).await?.into_iter().flatten();
        let failing = rows.filter_map(|row| {
            let (since, tries, error) = mysql_async::from_row_opt::<(Option<u64>, u32, String)>(row).ok()?;
            Some(FailingWebhook { since: since?, tries, error })
        });
        Ok(failing.min_by_key(|webhook| webhook.since))
    }

    /// What is wrong with a push service, for one of the users who are due.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub(crate) async fn push_error(&self) -> Result<Option<String>, StoreError> {
        let mut rows = self.read(&[notified::undelivered::select_push_error()]).await?.into_iter().flatten();
        Ok(rows.find_map(|row| mysql_async::from_row_opt(row).ok()))
    }
}
