//! Asking Redis which tokens of a user are revoked.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;

use crate::broker::revocations;
use crate::services::Services;

/// The pause before Redis is asked again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Asks Redis. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Revocations(Arc<Services>);

impl Revocations {
    /// Asks the Redis of these services.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self(services)
    }

    /// The second before which the tokens of `user` are revoked, if they are. Waits while Redis is away,
    /// since a revoked token must not be let in then; the caller has a deadline.
    pub(crate) async fn revoked_before(&self, user: &UserId) -> Option<u64> {
        let Services { commands, prefix, .. } = &*self.0;
        loop {
            match revocations::revoked_before(commands, prefix, user).await {
                Ok(second) => return second,
                // Other tasks log the outage once; this one runs for each handshake.
                Err(error) => tracing::debug!(%error, "cannot ask whether tokens are revoked"),
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}
