//! The state of the installation: what waits, who writes, and whether Redis and MySQL can be used.

use std::time::Duration;

use tokio::time::timeout;

use crate::base::backoff::Failure as _;
use crate::broker::backlog::{self, Backlog};
use crate::config::Event;
use crate::log::position::Position;
use crate::services::Services;
use crate::store::counts::{Counts, Wanted};

/// How long Redis and MySQL may take, each.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// The state of the installation. What cannot be read is why.
#[derive(Debug)]
pub(crate) struct State {
    /// What Redis says.
    pub(crate) redis: Result<Backlog, String>,
    /// What MySQL says; none with `storage = "none"`.
    pub(crate) mysql: Option<Result<Counts, String>>,
}

impl State {
    /// Reads the state. Takes at most twice [`TIMEOUT`].
    pub(crate) async fn read(services: &Services) -> Self {
        let mysql = mysql(services).await;
        let redis = async {
            let applied = |partition| {
                let known = services.positions.known(partition);
                // A daemon that stores nothing has no log either.
                if services.store.is_some() { known } else { Position::default() }
            };
            let read = backlog::read(&services.commands, &services.prefix, applied).await;
            read.map_err(|error| error.report())
        };
        Self { redis: bounded(redis).await, mysql }
    }

    /// How long the oldest message waits for MySQL; none if Redis cannot be used. Zero if nothing waits.
    pub(crate) fn oldest_waiting(&self) -> Option<Duration> {
        let backlog = self.redis.as_ref().ok()?;
        let oldest = backlog.logs.iter().filter_map(|log| log.oldest_ms).max().unwrap_or(0);
        Some(Duration::from_millis(oldest))
    }

    /// The webhooks that were not accepted yet; none if there are no webhooks, or MySQL cannot be used.
    pub(crate) fn webhooks_waiting(&self, services: &Services) -> Option<u64> {
        let webhook = services.config.webhook.as_ref()?;
        let counts = self.mysql.as_ref()?.as_ref().ok()?;
        let due = counts.due_to_application.filter(|_| webhook.events.has(Event::Waiting));
        Some(due.unwrap_or(0) + counts.events.unwrap_or(0))
    }
}

async fn mysql(services: &Services) -> Option<Result<Counts, String>> {
    let store = services.store.as_ref()?;
    let events = services.config.webhook.as_ref().is_some_and(|webhook| webhook.events.are_queued());
    let wanted = Wanted { due: services.config.notify.is_some(), events };
    let read = async {
        let counts = store.counts(wanted).await.map_err(|error| error.report())?;
        // What a daemon that does not write knows may be old.
        let positions = store.positions().await.map_err(|error| error.report())?;
        services.positions.advance_all(&positions);
        services.writer_error.get().map_or(Ok(counts), Err)
    };
    Some(bounded(read).await)
}

async fn bounded<T>(read: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(TIMEOUT, read).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}
