//! The body of a webhook.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::Sender;
use serde_json::{Value, json};

use crate::base::clock;
use crate::config::Event;
use crate::notify::offers::Offer;
use crate::store::webhook_events::QueuedEvent;

/// Somebody is to be told that messages wait for a user. The content is in it only if `shows_content`.
pub(super) fn waiting(offer: &Offer, default_type: &MessageType, shows_content: bool) -> String {
    let waiting = &offer.waiting;
    let last = waiting.last.as_ref().map(|stored| {
        let mut last = json!({
            "message_id": stored.row.message_id,
            "sender_id": sender(&stored.row.sender),
            "type": message_type(stored.message_type.as_ref().unwrap_or(default_type)),
            "time": stored.row.time_ms,
        });
        if shows_content {
            last["content"] = Value::from(stored.row.content.as_str());
        }
        last
    });
    let data = json!({
        "user_id": waiting.user,
        "waiting": waiting.count,
        "unread": waiting.unread,
        "first_time": waiting.first_time,
        "last": last,
    });
    let body = json!({ "type": "message.waiting", "timestamp": clock::rfc3339(clock::unix_milliseconds()), "data": data });
    body.to_string()
}

/// Something has happened. The same event has the same body in every try.
pub(super) fn event(queued: &QueuedEvent) -> String {
    let QueuedEvent { event, user, message, time, .. } = queued;
    let data = match (event, message) {
        (Event::Delivered, message) => {
            let (from, id) = message.as_ref().map(|(from, id)| (sender(from), id)).unzip();
            json!({ "message_id": id, "sender_id": from, "receiver_id": user, "time": time })
        }
        _ => json!({ "user_id": user, "time": time }),
    };
    json!({ "type": event.name(), "timestamp": clock::rfc3339(*time), "data": data }).to_string()
}

/// As in a frame: a number only if ids are of type `int`.
fn sender(sender: &Sender) -> Value {
    match sender {
        Sender::Int(id) => Value::from(*id),
        Sender::BigInt(id) => Value::from(id.to_string()),
        Sender::Text(id) => Value::from(id.as_str()),
    }
}

fn message_type(message_type: &MessageType) -> Value {
    match message_type {
        MessageType::Name(name) => Value::from(name.as_str()),
        MessageType::Number(number) => Value::from(*number),
    }
}
