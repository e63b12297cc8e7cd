//! What a browser is sent: a declarative push message (W3C Push API, "Declarative push message"), which Safari shows
//! without a worker, with what the worker needs beside it.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::Sender;
use serde_json::{Value, json};

use crate::config::{Notification, Values};
use crate::store::notified::Waiting;

/// Most bytes before encryption: a push service need not take a body of more than 4,096 (RFC 8030 section 7.2), of
/// which the header of the encryption has 86 and the only record 17 (RFC 8188 section 2, RFC 8291 section 4).
const MOST_BYTES: usize = 4_096 - 86 - 17;

/// Characters of a message's content that are shown.
const CONTENT_CHARACTERS: usize = 500;

/// The message for a user, as JSON.
pub(super) fn of(waiting: &Waiting, notification: &Notification, default_type: &MessageType) -> String {
    let mut characters = CONTENT_CHARACTERS;
    loop {
        let payload = with_content(waiting, notification, default_type, characters);
        if payload.len() <= MOST_BYTES || characters == 0 {
            return payload;
        }
        // A character may have many bytes in JSON.
        characters /= 2;
    }
}

fn with_content(
    waiting: &Waiting,
    Notification { title, body, url }: &Notification,
    default_type: &MessageType,
    content_characters: usize,
) -> String {
    let Waiting { user, count, unread, last, .. } = waiting;
    let sender = last.as_ref().map(|last| text(&last.row.sender));
    let values = Values {
        unread: *unread,
        waiting: *count,
        sender: sender.as_deref().unwrap_or_default(),
        content: last.as_ref().map_or("", |last| &last.row.content),
    };
    // Where nothing is counted, what waits is new.
    let badge = if *unread > 0 { unread } else { count };
    let mut about = json!({ "user_id": user.to_string(), "waiting": count, "unread": unread });
    if let Some(last) = last {
        about["message_id"] = json!(last.row.message_id);
        about["sender_id"] = json!(sender);
        about["type"] = match last.message_type.as_ref().unwrap_or(default_type) {
            MessageType::Name(name) => Value::from(name.as_str()),
            MessageType::Number(number) => Value::from(*number),
        };
    }
    // WebKit reads `app_badge` here, as a text or a number; in the W3C's draft it is proposed beside `notification`
    // and not there yet.
    let shown = json!({
        "title": title.render(values, content_characters),
        "body": body.render(values, content_characters),
        "navigate": url,
        "tag": "chatpush",
        "silent": false,
        "app_badge": badge.to_string(),
    });
    json!({ "web_push": 8030, "notification": shown, "chatpush": about }).to_string()
}

/// Whatever the type of ids, as that of the user.
fn text(sender: &Sender) -> String {
    match sender {
        Sender::Int(id) | Sender::BigInt(id) => id.to_string(),
        Sender::Text(id) => id.clone(),
    }
}
