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
pub(super) const CONTENT_CHARACTERS: usize = 500;

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

#[cfg(test)]
mod tests {
    use chatpush_wire::id::{MessageId, UserId, UserIdType};
    use chatpush_wire::reply::{Row, SendTime};

    use super::*;
    use crate::config::Template;
    use crate::store::rows::StoredRow;

    fn waiting(user: UserId, sender: Sender, message_id: MessageId, content: &str) -> Waiting {
        let content = content.to_owned();
        let send_time = SendTime::default();
        let row = Row { id: 1, sender, content, send_time, message_id, time_ms: 1, conversation: None };
        let last = Some(StoredRow { row, message_type: None });
        Waiting { user, count: 1, unread: u64::MAX, first_time: Some(1), last }
    }

    /// The bytes of the payload, and the text that is shown. The address of the page has so many bytes.
    fn shown(content: &str, url_bytes: usize) -> (usize, String) {
        let [title, body] = ["New messages", "{content}!"].map(|text| Template::parse(text).unwrap());
        let notification = Notification { title, body, url: "/".repeat(url_bytes) };
        let waiting = waiting(UserId::try_from(7).unwrap(), Sender::Int(3), MessageId::of_row(7, 1), content);
        let payload = of(&waiting, &notification, &MessageType::Name("chat".to_owned()));
        let read: Value = serde_json::from_str(&payload).unwrap();
        (payload.len(), read["notification"]["body"].as_str().unwrap().to_owned())
    }

    #[test]
    fn content_is_whole_if_it_just_fits_and_else_halved() {
        // In UTF-8 and in JSON these characters have 1 to 6 bytes.
        for characters in ["a", "\"", "é", "文", "😀", "\u{1}", "a😀\"文\u{1}é\n"] {
            let content: String = characters.chars().cycle().take(CONTENT_CHARACTERS).collect();
            let at_limit = 1 + MOST_BYTES - shown(&content, 1).0;
            assert_eq!(shown(&content, at_limit), (MOST_BYTES, format!("{content}!")));
            let (bytes, text) = shown(&content, at_limit + 1);
            let half: String = content.chars().take(CONTENT_CHARACTERS / 2).collect();
            assert_eq!(text, format!("{half}…!"), "{characters:?}");
            assert!(bytes < MOST_BYTES, "{characters:?} has {bytes} bytes");
        }
    }

    #[test]
    fn content_is_halved_until_it_fits() {
        let content = "😀".repeat(CONTENT_CHARACTERS + 1);
        let start = |characters| format!("{}…!", "😀".repeat(characters));
        assert_eq!(shown(&content, 1).1, start(500));
        let at_limit = 1 + MOST_BYTES - shown(&"😀".repeat(62), 1).0 - "…".len();
        for (url_bytes, characters) in [(at_limit, 62), (at_limit + 1, 31), (MOST_BYTES, 0)] {
            assert_eq!(shown(&content, url_bytes).1, start(characters));
        }
    }

    #[test]
    fn the_longest_settings_and_ids_fit() {
        let text = |text: &str| Template::parse(text).unwrap();
        let id = "x".repeat(UserId::TEXT_BYTES);
        let message_id = MessageId::try_from("\"".repeat(MessageId::MAX_BYTES)).unwrap();
        let user = UserIdType::Text.text(&id).unwrap();
        let waiting = waiting(user, Sender::Text(id), message_id, "x");
        let default_type = MessageType::Name("\u{1}".repeat(64));
        let url = "/".repeat(Notification::MOST_BYTES - "\"New messages\"\"…\"\"\"".len());
        let notification = Notification { title: text("New messages"), body: text("{content}"), url };
        let payload = of(&waiting, &notification, &default_type);
        assert!(payload.len() <= MOST_BYTES, "{} bytes", payload.len());
    }
}
