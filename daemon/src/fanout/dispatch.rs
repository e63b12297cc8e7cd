//! From Redis to the hub: one message on a user's channel, handed to that user's connections; and queries, handed to the
//! reader.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use chatpush_wire::envelope::Envelope;
use chatpush_wire::frame::{self, DEFAULT_TYPE, MessageType};
use chatpush_wire::id::MessageId;
use chatpush_wire::key::Prefix;
use redis::{PushInfo, PushKind, Value};

use crate::hub::close::Close;
use crate::hub::{Hub, Outgoing};
use crate::query::queue::QueryQueue;

/// Hands messages on. It runs on the task that reads the subscription, so it never waits: Redis cuts off a
/// subscriber that falls behind.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    hub: Arc<Hub>,
    queries: QueryQueue,
    prefix: Prefix,
    /// This daemon's name.
    name: String,
    /// The type for messages stored without one, if it is not the one they were rendered with.
    retype: Option<MessageType>,
}

impl Dispatcher {
    /// A dispatcher into `hub` for an installation's channels, of which some bring queries to the daemon with that name.
    pub fn new(
        hub: Arc<Hub>,
        queries: QueryQueue,
        prefix: Prefix,
        name: String,
        default_type: &MessageType,
    ) -> Self {
        let rendered = MessageType::Name(DEFAULT_TYPE.to_owned());
        Self { hub, queries, prefix, name, retype: (*default_type != rendered).then(|| default_type.clone()) }
    }

    /// Delivers what Redis pushed, if it is a message on a user's channel or a question.
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
        let Some(user) = self.prefix.user_of_channel(channel) else {
            if self.prefix.is_query_channel_of(&self.name, channel) {
                self.queries.enqueue(&envelope);
            }
            return;
        };
        let bytes = Bytes::from(envelope);
        let outgoing = match Envelope::decode(&bytes) {
            Ok(Envelope::Disconnect) => return self.hub.close_connections(user, Close::Disconnected),
            Ok(Envelope::Ephemeral { frame }) => {
                shared(&bytes, frame).map(|frame| Outgoing { frame, tracked: None })
            }
            Ok(Envelope::Tracked { id, untyped, frame }) => self.tracked(&bytes, id, untyped, frame),
            Err(_) => None,
        };
        let Some(outgoing) = outgoing else {
            tracing::warn!(%user, "envelope not read: is an extension of another version in use?");
            return;
        };
        self.hub.deliver(user, &outgoing);
    }

    fn tracked(&self, bytes: &Bytes, id: &str, untyped: bool, frame: &str) -> Option<Outgoing> {
        let id = MessageId::try_from(id.to_owned()).ok()?;
        let frame = match &self.retype {
            Some(message_type) if untyped => {
                Utf8Bytes::from(frame::retyped(frame, &id, message_type).into_owned())
            }
            _ => shared(bytes, frame)?,
        };
        Some(Outgoing { frame, tracked: Some(Arc::new(id)) })
    }
}

/// The frame as a part of the bytes it arrived in, so that every device shares them.
fn shared(bytes: &Bytes, frame: &str) -> Option<Utf8Bytes> {
    Utf8Bytes::try_from(bytes.slice_ref(frame.as_bytes())).ok()
}
