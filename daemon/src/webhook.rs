//! Tells the application, by HTTP, what it wants to know (Standard Webhooks, <https://www.standardwebhooks.com/>):
//! of users for whom messages wait (`waiting`), and of what has happened (`queued`). Both have a bound on their
//! requests of their own, so that neither waits for the other.

mod body;
mod client;
mod outcome;
mod queued;
mod signature;
pub(crate) mod trial;
mod waiting;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::id::UserId;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use self::client::{Answer, Client};
use self::queued::Queued;
use self::waiting::Waiting;
use crate::barrier::Barrier;
use crate::base::last_error::LastError;
use crate::broker::lease::Lease;
use crate::config::{Event, Notify, Webhook};
use crate::notify::offers::Offers;
use crate::services::Services;
use crate::store::webhook_events::QueuedEvent;

pub(crate) use self::client::ClientError;

/// How much longer than a request its lease lasts.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// How often it is tried at least to tell the application of one thing: within a quarter of an hour.
const FEWEST_TRIES: u32 = 10;

/// Most answers that are recorded together.
const ANSWERS: usize = 100;

/// Bytes of a digest in an id.
const DIGEST_BYTES: usize = 16;

/// Sends webhooks while this daemon is the one that writes.
#[derive(Debug)]
pub(crate) struct Webhooks {
    waiting: Option<Waiting>,
    queued: Option<Queued>,
}

/// Remembers why a webhook was not accepted, for operators.
fn note_answer(last: &LastError, answer: &Answer) {
    match answer {
        Answer::Failed { reason, .. } => last.failed(reason.clone()),
        Answer::Accepted | Answer::Gone => last.clear(),
    }
}

impl Webhooks {
    /// Sends the events that the settings name. Without `notify` nobody becomes due.
    ///
    /// # Errors
    ///
    /// When the system's certificates cannot be used.
    pub(crate) fn new(
        services: &Arc<Services>,
        lease: &Lease,
        barrier: &Barrier,
        notify: Option<Notify>,
        webhook: Webhook,
    ) -> Result<Self, ClientError> {
        let client = Client::new(webhook.timeout, services.config.live.clone())?;
        let webhook = Arc::new(webhook);
        let events = webhook.events;
        let waiting = notify.filter(|_| events.has(Event::Waiting)).map(|notify| {
            let offers = Offers::new(services.clone(), barrier.clone(), notify);
            let how = (webhook.clone(), client.clone());
            Waiting::new(services.clone(), lease.clone(), offers, notify.show_content, how)
        });
        let queued = events
            .are_queued()
            .then(|| Queued::new(services.clone(), lease.clone(), webhook.clone(), client.clone()));
        Ok(Self { waiting, queued })
    }

    /// Sends, until `stop` is cancelled. Requests under way are finished then.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let waiting = async {
            if let Some(waiting) = self.waiting {
                waiting.run(stop.clone()).await;
            }
        };
        let queued = async {
            if let Some(queued) = self.queued {
                queued.run(stop.clone()).await;
            }
        };
        tokio::join!(waiting, queued);
    }
}

/// The id of the webhook of a user who is due since a time. It is the same in every try.
pub(crate) fn waiting_id(user: &UserId, due_at: u64) -> String {
    format!("waiting-{user}-{due_at}")
}

/// The id of the webhook of an event. It is the same in every try, also of an event that MySQL has lost in a crash and
/// that is queued again. A message's id may have any letters, so it is a digest.
pub(crate) fn queued_id(event: &QueuedEvent) -> String {
    let QueuedEvent { user, time, .. } = event;
    match (event.event, &event.message) {
        (Event::Online, _) => format!("online-{user}-{time}"),
        (Event::Offline, _) => format!("offline-{user}-{time}"),
        (_, message) => {
            let message = message.as_ref().map_or("", |(_, id)| id.as_str());
            let digest = Sha256::digest(format!("{user} {message}"));
            digest.iter().take(DIGEST_BYTES).fold("delivered-".to_owned(), |mut id, byte| {
                // Writing to a String cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            })
        }
    }
}
