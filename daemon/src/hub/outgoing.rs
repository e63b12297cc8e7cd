//! A frame on its way to connections.

use std::sync::{Arc, OnceLock};

use chatpush_wire::frame::{self, is_unread};
use chatpush_wire::id::MessageId;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a connection is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON frames.
    Json,
    /// The content of messages alone. Other frames are sent as JSON.
    Content,
}

/// A frame on its way to one connection. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    frame: Utf8Bytes,
    tracked: Option<Arc<MessageId>>,
    /// Whether a replay brings it, or what is newer.
    replayed: bool,
    /// For connections that are sent the content alone: parsed by the first session that needs it.
    content: Option<Arc<OnceLock<Utf8Bytes>>>,
    /// When a live message has reached this daemon.
    arrived: Option<Instant>,
}

impl Outgoing {
    /// A frame in the connection's format; with the message's id, if the message is stored until a client
    /// confirms it.
    pub fn new(frame: Utf8Bytes, tracked: Option<Arc<MessageId>>) -> Self {
        let replayed = tracked.is_some() || is_unread(&frame);
        Self { frame, tracked, replayed, content: None, arrived: None }
    }

    /// The same, if it is a message and no frame of the daemon's own: it has arrived now.
    pub(crate) fn arrived_now(self) -> Self {
        let is_message = self.tracked.is_some() || frame::is_message(&self.frame);
        Self { arrived: is_message.then(Instant::now), ..self }
    }

    /// When it has reached this daemon, if it is a live message.
    pub(crate) fn arrived(&self) -> Option<Instant> {
        self.arrived
    }

    /// Its JSON frame.
    pub(crate) fn frame(&self) -> &str {
        &self.frame
    }

    /// The same JSON frame for connections of [`Format::Content`].
    pub(super) fn for_content(&self) -> Self {
        Self { content: Some(Arc::default()), ..self.clone() }
    }

    /// Bytes of the frame.
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// The id of a message that is stored until a client confirms it.
    pub fn tracked(&self) -> Option<&Arc<MessageId>> {
        self.tracked.as_ref()
    }

    /// Whether a replay brings it, or what is newer: a stored message, or the unread counter.
    pub fn is_replayed(&self) -> bool {
        self.replayed
    }

    /// What the client is sent.
    pub fn into_text(self) -> Utf8Bytes {
        let Self { frame, content: Some(content), .. } = self else { return self.frame };
        let parse = || frame::content_of(&frame).map_or_else(|| frame.clone(), Utf8Bytes::from);
        content.get_or_init(parse).clone()
    }
}
