//! Dispatches what the subscriptions bring: messages on a user's channel go to that user's connections,
//! queries to the query queue.

use std::sync::Arc;

use bytes::Bytes;
use chatpush_wire::envelope::Envelope;
use chatpush_wire::frame::{self, DEFAULT_TYPE, MessageType};
use chatpush_wire::id::{MessageId, UserIdType};
use chatpush_wire::key::Prefix;
use redis::{PushInfo, PushKind, Value};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::hub::close_code::Close;
use crate::hub::{Hub, Outgoing};
use crate::query::queue::QueryQueue;

/// Dispatches messages. It runs on the task that reads the subscription and never waits: Redis disconnects a
/// subscriber that falls behind.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    hub: Arc<Hub>,
    queries: QueryQueue,
    prefix: Prefix,
    user_ids: UserIdType,
    /// This daemon's name.
    name: String,
    /// The configured type for messages without one, if it differs from the one that frames are rendered
    /// with.
    default_type: Option<MessageType>,
}

impl Dispatcher {
    /// A dispatcher to `hub` and `queries`, for the installation with this prefix and type of user ids, and the
    /// daemon with this name.
    pub fn new(
        hub: Arc<Hub>,
        queries: QueryQueue,
        (prefix, user_ids): (Prefix, UserIdType),
        name: String,
        default_type: &MessageType,
    ) -> Self {
        let rendered = MessageType::Name(DEFAULT_TYPE.to_owned());
        Self {
            hub,
            queries,
            prefix,
            user_ids,
            name,
            default_type: (*default_type != rendered).then(|| default_type.clone()),
        }
    }

    /// Dispatches one pushed message. Anything that is neither for a user nor a query is ignored.
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
            // Queries come to all daemons while Redis takes no writes (`query.lua`).
            if self.prefix.is_query_channel_of(&self.name, channel) || self.prefix.is_daemons_channel(channel)
            {
                self.queries.enqueue(&envelope);
            }
            return;
        };
        let bytes = Bytes::from(envelope);
        let outgoing = match Envelope::decode(&bytes) {
            Ok(Envelope::Disconnect) => return self.hub.close_connections(&user, Close::Disconnected),
            Ok(Envelope::Ephemeral { frame }) => {
                slice_of(&bytes, frame).map(|frame| Outgoing::new(frame, None))
            }
            Ok(Envelope::Tracked { id, untyped, frame }) => {
                self.hub.arrivals().note(&user);
                self.tracked(&bytes, id, untyped, frame)
            }
            Err(_) => None,
        };
        let Some(outgoing) = outgoing else {
            tracing::warn!(%user, "cannot read an envelope: is an extension of another version in use?");
            return;
        };
        self.hub.deliver(&user, &outgoing);
    }

    fn tracked(&self, bytes: &Bytes, id: &str, untyped: bool, frame: &str) -> Option<Outgoing> {
        let id = MessageId::try_from(id.to_owned()).ok()?;
        let frame = match &self.default_type {
            Some(message_type) if untyped => {
                Utf8Bytes::from(frame::retyped(frame, &id, message_type).into_owned())
            }
            _ => slice_of(bytes, frame)?,
        };
        Some(Outgoing::new(frame, Some(Arc::new(id))))
    }
}

/// The frame as a slice of the bytes it arrived in, which all connections share.
fn slice_of(bytes: &Bytes, frame: &str) -> Option<Utf8Bytes> {
    Utf8Bytes::try_from(bytes.slice_ref(frame.as_bytes())).ok()
}
