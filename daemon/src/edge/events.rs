//! Client events on their way from a session to Redis.

use std::sync::Arc;

use chatpush_wire::envelope;
use chatpush_wire::frame::live::{self, EventName};
use chatpush_wire::id::{AnyUserId, UserId};
use chatpush_wire::limit::EVENT_VALUE_BYTES;
use tokio::sync::mpsc;

use crate::base::metrics;
use crate::services::Services;

/// Events that may wait for Redis. Further ones are dropped.
const QUEUED: usize = 4_096;

/// Events in one write.
const PUBLISHED_AT_ONCE: usize = 256;

/// An event that a client sends to a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// The peer, of whatever type.
    pub to: AnyUserId,
    name: String,
    /// JSON.
    value: String,
}

/// An event as it is published: the receiver, and the envelope.
type Published = (UserId, String);

/// The events that wait for Redis. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Events(mpsc::Sender<Published>);

/// The other end of the queue.
#[derive(Debug)]
pub(crate) struct QueuedEvents(mpsc::Receiver<Published>);

/// Why a client's frame is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRefused {
    /// Its name is not 1 to 32 of `a-z0-9_.-`.
    Name,
    /// Its value is longer than 1 KiB.
    Value,
}

impl EventRefused {
    /// The label of `chatpush_events_dropped_total`.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
        }
    }
}

impl ClientEvent {
    /// An event. The value is JSON.
    ///
    /// # Errors
    ///
    /// If name or value are not within their limits.
    pub fn new(to: AnyUserId, name: &str, value: &str) -> Result<Self, EventRefused> {
        if EventName::new(name).is_none() {
            return Err(EventRefused::Name);
        }
        if value.len() > EVENT_VALUE_BYTES {
            return Err(EventRefused::Value);
        }
        Ok(Self { to, name: name.to_owned(), value: value.to_owned() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, as the JSON that the client has sent.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl Events {
    /// Both ends of a new queue.
    pub(crate) fn new() -> (Self, QueuedEvents) {
        let (sender, receiver) = mpsc::channel(QUEUED);
        (Self(sender), QueuedEvents(receiver))
    }

    /// Queues an event without waiting.
    pub(crate) fn enqueue(&self, from: &UserId, to: UserId, event: ClientEvent) {
        let ClientEvent { name, value, .. } = event;
        let Some(name) = EventName::new(&name) else { return };
        let envelope = envelope::EVENT.to_owned() + &live::event(name, from, &value);
        if self.0.try_send((to, envelope)).is_err() {
            metrics::EVENTS_DROPPED.increment("redis");
        }
    }
}

impl QueuedEvents {
    /// Publishes the events, in their order, until nobody can send one any more.
    pub(crate) async fn publish(mut self, services: Arc<Services>) {
        let mut events = Vec::new();
        while self.0.recv_many(&mut events, PUBLISHED_AT_ONCE).await > 0 {
            let count = events.len();
            let mut pipeline = redis::pipe();
            for (to, envelope) in events.drain(..) {
                pipeline.cmd("SPUBLISH").arg(services.prefix.user_channel(&to)).arg(envelope).ignore();
            }
            if let Err(error) = services.commands.send::<()>(&pipeline).await {
                tracing::debug!(%error, "cannot publish client events");
                metrics::EVENTS_DROPPED.add("redis", count);
            }
        }
    }
}
