//! Answers the question who is in a room, for the connections of this daemon.

use std::sync::Arc;

use chatpush_wire::id::AnyUserId;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to::ReplyTo;
use chatpush_wire::room::Room;
use tokio::sync::mpsc;

use crate::base::metrics;
use crate::broker::replies;
use crate::hub::Hub;
use crate::services::Services;

/// Questions that may wait. Further ones are dropped, and their callers time out.
const QUEUED: usize = 1_024;

/// Questions that are answered in one write.
const ANSWERED_AT_ONCE: usize = 16;

/// A question: the room, and where the answer goes.
type Question = (Room, String);

/// The questions that wait to be answered. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct RoomQueries(mpsc::Sender<Question>);

/// The other end of the queue.
#[derive(Debug)]
pub struct QueuedRoomQueries(mpsc::Receiver<Question>);

impl RoomQueries {
    /// Both ends of a new queue.
    pub fn new() -> (Self, QueuedRoomQueries) {
        let (sender, receiver) = mpsc::channel(QUEUED);
        (Self(sender), QueuedRoomQueries(receiver))
    }

    /// Queues a question without waiting.
    pub(super) fn enqueue(&self, room: Room, reply_to: &str) {
        if self.0.try_send((room, reply_to.to_owned())).is_err() {
            metrics::UNANSWERED.inc();
        }
    }
}

impl QueuedRoomQueries {
    /// Answers the questions until nobody can send one any more.
    pub(crate) async fn serve(mut self, services: Arc<Services>, hub: Arc<Hub>) {
        let mut questions = Vec::new();
        while self.0.recv_many(&mut questions, ANSWERED_AT_ONCE).await > 0 {
            let mut pipeline = redis::pipe();
            for (room, reply_to) in questions.drain(..) {
                let Some(reply_to) = ReplyTo::parse(&reply_to) else { continue };
                let Services { prefix, daemon, config, .. } = &*services;
                let partition = Partition::of_text(room.as_str());
                let users = hub.room_users(&room).iter().map(AnyUserId::from).collect();
                let reply = Reply::Members { user_id_type: config.user_id_type, users };
                replies::publish_reply(&mut pipeline, prefix, daemon, partition, reply_to, &reply);
            }
            if let Err(error) = services.commands.send::<()>(&pipeline).await {
                tracing::debug!(%error, "cannot say who is in a room; the callers will time out");
            }
        }
    }
}
