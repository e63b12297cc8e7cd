//! Dispatches what the subscriptions bring: messages on the channel of a user or a room go to its connections, as
//! do those for many users on the channel of all daemons; queries go to their queues.

use std::sync::Arc;

use bytes::Bytes;
use chatpush_wire::envelope::Envelope;
use chatpush_wire::frame::{self, DEFAULT_TYPE, MessageType};
use chatpush_wire::id::{MessageId, UserId, UserIdType};
use chatpush_wire::key::Prefix;
use chatpush_wire::room::Room;
use redis::{PushInfo, PushKind, Value};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::connection_queries::ConnectionQueries;
use super::presence::Presence;
use super::room_queries::RoomQueries;
use crate::base::metrics;
use crate::hub::close_code::Close;
use crate::hub::{Hub, Outgoing};
use crate::query::queue::QueryQueue;

/// Dispatches messages. It runs on the task that reads the subscription and never waits: Redis disconnects a
/// subscriber that falls behind.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    hub: Arc<Hub>,
    queues: Queues,
    presence: Presence,
    prefix: Prefix,
    user_ids: UserIdType,
    /// This daemon's name.
    name: String,
    /// The configured type for messages without one, if it differs from the one that frames are rendered
    /// with.
    default_type: Option<MessageType>,
}

/// The queues of queries to this daemon. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Queues {
    /// Those that MySQL answers.
    pub queries: QueryQueue,
    /// Those who is in a room.
    pub room_queries: RoomQueries,
    /// Those of operators.
    pub connection_queries: ConnectionQueries,
}

impl Dispatcher {
    /// A dispatcher to `hub`, the queues of queries and `presence`, for the installation with this prefix and
    /// type of user ids, and the daemon with this name.
    pub fn new(
        hub: Arc<Hub>,
        queues: Queues,
        presence: Presence,
        (prefix, user_ids): (Prefix, UserIdType),
        name: String,
        default_type: &MessageType,
    ) -> Self {
        let rendered = MessageType::Name(DEFAULT_TYPE.to_owned());
        Self {
            hub,
            queues,
            presence,
            prefix,
            user_ids,
            name,
            default_type: (*default_type != rendered).then(|| default_type.clone()),
        }
    }

    /// Dispatches one pushed message. Anything else is ignored.
    pub fn push(&self, push: PushInfo) {
        if push.kind != PushKind::SMessage {
            return;
        }
        let mut data = push.data.into_iter();
        let (Some(Value::BulkString(channel)), Some(Value::BulkString(envelope))) =
            (data.next(), data.next())
        else {
            return;
        };
        let Ok(channel) = std::str::from_utf8(&channel) else { return };
        let Some(user) = self.prefix.user_of_channel(channel, self.user_ids) else {
            if self.prefix.is_query_channel_of(&self.name, channel) {
                self.queues.queries.enqueue(&envelope);
            } else if self.prefix.is_daemon_channel_of(&self.name, channel) {
                self.queues.connection_queries.enqueue(&envelope);
            } else if self.prefix.is_daemons_channel(channel) {
                self.push_to_users(envelope);
            } else if let Some(room) = self.prefix.room_of_channel(channel) {
                self.push_to_room(&room, envelope);
            } else if self.prefix.is_everyone_channel(channel) {
                self.push_to_everyone(envelope);
            } else if let Some(partition) = self.prefix.partition_of_presence_channel(channel) {
                self.presence.take(partition, &envelope);
            }
            return;
        };
        let bytes = Bytes::from(envelope);
        let outgoing = match Envelope::decode(&bytes) {
            Ok(Envelope::Disconnect) => return self.hub.close_connections(&user, Close::Disconnected),
            Ok(envelope @ (Envelope::Ephemeral { .. } | Envelope::Tracked { .. })) => {
                self.message(&bytes, envelope)
            }
            Ok(Envelope::Event { frame }) => {
                if let Some(frame) = slice_of(&bytes, frame) {
                    let dropped = self.hub.offer(&user, &Outgoing::new(frame, None));
                    metrics::EVENTS_DROPPED.add("receiver", dropped);
                }
                return;
            }
            Ok(Envelope::Recall { frame }) => {
                let ids = frame::sent::recalled(frame);
                if let Some(frame) = slice_of(&bytes, frame) {
                    self.hub.recall(&user, &ids, &Outgoing::new(frame, None));
                }
                return;
            }
            Ok(Envelope::Many { .. } | Envelope::Members { .. } | Envelope::Connections { .. }) | Err(_) => {
                None
            }
        };
        let Some(outgoing) = outgoing else {
            tracing::warn!(%user, "cannot read an envelope: is an extension of another version in use?");
            return;
        };
        self.deliver(&user, &outgoing);
    }

    /// What comes on the channel of all daemons: a message for many users, or a query, which comes this way
    /// while Redis takes no writes (`query.lua`).
    fn push_to_users(&self, envelope: Vec<u8>) {
        let bytes = Bytes::from(envelope);
        let Ok(Envelope::Many { users, envelope }) = Envelope::decode(&bytes) else {
            return self.queues.queries.enqueue(&bytes);
        };
        let envelope = Envelope::decode(envelope.as_bytes());
        let Some(outgoing) = envelope.ok().and_then(|envelope| self.message(&bytes, envelope)) else {
            tracing::warn!("cannot read what many are sent: is an extension of another version in use?");
            return;
        };
        for user in users.split(' ').filter_map(|user| self.user_ids.text(user).ok()) {
            self.deliver(&user, &outgoing);
        }
    }

    fn deliver(&self, user: &UserId, outgoing: &Outgoing) {
        if outgoing.tracked().is_some() {
            self.hub.arrivals().note(user);
        }
        self.hub.deliver(user, outgoing);
    }

    fn push_to_room(&self, room: &Room, envelope: Vec<u8>) {
        let bytes = Bytes::from(envelope);
        match Envelope::decode(&bytes) {
            Ok(Envelope::Ephemeral { frame }) => {
                if let Some(frame) = slice_of(&bytes, frame) {
                    self.hub.deliver_to_room(room, &Outgoing::new(frame, None).arrived_now());
                }
            }
            Ok(Envelope::Members { reply_to }) => self.queues.room_queries.enqueue(room.clone(), reply_to),
            _ => tracing::warn!(%room, "cannot read an envelope: is an extension of another version in use?"),
        }
    }

    fn push_to_everyone(&self, envelope: Vec<u8>) {
        let bytes = Bytes::from(envelope);
        let Ok(Envelope::Ephemeral { frame }) = Envelope::decode(&bytes) else {
            tracing::warn!("cannot read what is pushed to all: is an extension of another version in use?");
            return;
        };
        if let Some(frame) = slice_of(&bytes, frame) {
            self.hub.deliver_to_everyone(&Outgoing::new(frame, None).arrived_now());
        }
    }

    /// The message in an envelope; `None` if there is none.
    fn message(&self, bytes: &Bytes, envelope: Envelope<'_>) -> Option<Outgoing> {
        match envelope {
            Envelope::Ephemeral { frame } => Some(Outgoing::new(slice_of(bytes, frame)?, None).arrived_now()),
            Envelope::Tracked { id, untyped, frame } => self.tracked(bytes, id, untyped, frame),
            _ => None,
        }
    }

    fn tracked(&self, bytes: &Bytes, id: &str, untyped: bool, frame: &str) -> Option<Outgoing> {
        let id = MessageId::try_from(id.to_owned()).ok()?;
        let frame = match &self.default_type {
            Some(message_type) if untyped => {
                Utf8Bytes::from(frame::retyped(frame, &id, message_type).into_owned())
            }
            _ => slice_of(bytes, frame)?,
        };
        Some(Outgoing::new(frame, Some(Arc::new(id))).arrived_now())
    }
}

/// The frame as a slice of the bytes it arrived in, which all connections share.
fn slice_of(bytes: &Bytes, frame: &str) -> Option<Utf8Bytes> {
    Utf8Bytes::try_from(bytes.slice_ref(frame.as_bytes())).ok()
}
