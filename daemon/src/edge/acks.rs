//! Clients' acknowledgements on their way to the log. They are kept and sent again until Redis has them: a
//! lost acknowledgement would show a message twice.

mod appender;
mod clears;
mod conversation_clears;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::{MessageId, UserId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) use self::appender::run;
use self::clears::Clears;
use self::conversation_clears::ConversationClears;
pub(crate) use self::waiting::Waiting;
use crate::barrier::Barrier;
use crate::hub::Hub;

/// Entries that may wait for Redis. Beyond it sessions wait, up to [`QUEUE_TIMEOUT`].
const QUEUE_ENTRIES: usize = 8_192;

/// How long a session waits for room in the queue before it drops the acknowledgement.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client acknowledges.
#[derive(Debug)]
pub(crate) enum Ack {
    /// The user's client has these messages.
    Messages(UserId, Vec<MessageId>),
    /// The user has read everything.
    Read(UserId),
    /// The user has read a conversation.
    ReadConversation(UserId, Conversation),
}

/// The sessions' end of the queue. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Acks {
    /// Whether messages are stored. If not, there is nothing to confirm or to clear.
    stores: bool,
    /// Whether conversations are counted.
    conversations: bool,
    queue: mpsc::Sender<Waiting>,
    clears: Clears,
    conversation_clears: ConversationClears,
}

impl Acks {
    /// Both ends of a new queue. After `stop`, clears do not wait for those before them. `generation`: the newest
    /// one of log entries that may be written.
    pub(crate) fn new(
        (stores, conversations): (bool, bool),
        barrier: Barrier,
        hub: Arc<Hub>,
        stop: CancellationToken,
        generation: Arc<AtomicU32>,
    ) -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, receiver) = mpsc::channel(QUEUE_ENTRIES);
        let conversation_clears =
            ConversationClears::new(barrier.clone(), hub.clone(), queue.clone(), stop.clone(), generation);
        let clears = Clears::new(barrier, hub, queue.clone(), stop);
        (Self { stores, conversations, queue, clears, conversation_clears }, receiver)
    }

    /// Queues an acknowledgement for the log.
    pub(crate) async fn append(&self, ack: Ack) {
        if !self.stores {
            return;
        }
        let (user, ids) = match ack {
            Ack::Messages(user, ids) => (user, ids),
            Ack::Read(user) => return self.clears.request(user),
            Ack::ReadConversation(..) if !self.conversations => return,
            Ack::ReadConversation(user, conversation) => {
                return self.conversation_clears.request(user, conversation);
            }
        };
        if timeout(QUEUE_TIMEOUT, self.queue.send(Waiting::Messages(user, ids))).await.is_err() {
            tracing::warn!("acknowledgement dropped: Redis does not keep up. Its message will be sent again");
        }
    }
}
