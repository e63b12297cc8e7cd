//! Answers operators (`chatpushd status`, `chatpushd online`) how many connections this daemon holds, and of whom.

use std::sync::Arc;

use chatpush_wire::envelope::Envelope;
use chatpush_wire::id::UserId;
use tokio::sync::mpsc;

use crate::broker::answers;
use crate::hub::Hub;
use crate::services::Services;

/// Questions that may wait. Further ones are dropped, and whoever asks is told that the daemon did not answer.
const QUEUED: usize = 64;

/// The questions that wait to be answered. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct ConnectionQueries(mpsc::Sender<Question>);

/// The other end of the queue.
#[derive(Debug)]
pub struct QueuedConnectionQueries(mpsc::Receiver<Question>);

/// A question, and the users that it is about.
#[derive(Debug)]
struct Question {
    id: String,
    users: String,
}

impl ConnectionQueries {
    /// Both ends of a new queue.
    pub fn new() -> (Self, QueuedConnectionQueries) {
        let (sender, receiver) = mpsc::channel(QUEUED);
        (Self(sender), QueuedConnectionQueries(receiver))
    }

    /// Queues a question without waiting. Anything else is ignored.
    pub(super) fn enqueue(&self, envelope: &[u8]) {
        if let Ok(Envelope::Connections { question, users }) = Envelope::decode(envelope) {
            let question = Question { id: question.to_owned(), users: users.to_owned() };
            if self.0.try_send(question).is_err() {
                tracing::debug!("too many questions how many connections there are");
            }
        }
    }
}

impl QueuedConnectionQueries {
    /// Answers the questions until nobody can send one any more.
    pub(crate) async fn serve(mut self, services: Arc<Services>, hub: Arc<Hub>) {
        while let Some(Question { id, users }) = self.0.recv().await {
            let Services { commands, prefix, daemon, .. } = &*services;
            let counted = counted(&services, &hub, &users);
            let total = hub.connections() as u64;
            let configuration = serde_json::to_string(&services.config.live.reading()).unwrap_or_default();
            let about = (total, configuration.as_str());
            if let Err(error) = answers::append(commands, prefix, &id, daemon, about, &counted).await {
                tracing::debug!(%error, "cannot say how many connections there are");
            }
        }
    }
}

/// How many connections each of the users has here, of those who have any.
fn counted(services: &Services, hub: &Hub, users: &str) -> Vec<(UserId, u64)> {
    let ids = services.config.user_id_type;
    let users = match users {
        "*" => hub.users(),
        named => named.split(' ').filter_map(|user| ids.text(user).ok()).collect(),
    };
    let counted = users.into_iter().map(|user| {
        let count = hub.connections_of(&user) as u64;
        (user, count)
    });
    counted.filter(|(_, count)| *count > 0).collect()
}
