//! Texts from a client are parsed as a general JSON parser would, and floods are detected.

use std::collections::VecDeque;
use std::time::Duration;

use chatpush_daemon::edge::events::{ClientEvent, EventRefused};
use chatpush_daemon::edge::push_requests::PushRequest;
use chatpush_daemon::edge::session::client_frame::ClientFrame;
use chatpush_daemon::edge::session::message_rate::MessageRate;
use chatpush_wire::conversation::Conversation;
use chatpush_wire::push_subscription::PushSubscription;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The default of `limits.message_bytes`.
const MESSAGE_BYTES: usize = 65_536;

pub(super) fn run(data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) if text.len() <= MESSAGE_BYTES => check_parsed(text),
        Ok(_) => {}
        Err(_) => {
            // No UTF-8 text begins with this byte, so it marks inputs for the other check.
            if let Some(pauses) = data.strip_prefix(b"\xFF") {
                check_rate(pauses);
            }
        }
    }
}

/// Compares the parsed frame with a general JSON parser's result.
fn check_parsed(text: &str) {
    let Some(parsed) = ClientFrame::parse(text) else { return };
    assert!(text.trim_start().starts_with('{'), "frames are objects");
    let again = match &parsed {
        ClientFrame::Ack(ids) => {
            assert!(ids.len() * 4 <= text.len(), "the work is bounded by the length of the text");
            json!({ "ack": ids })
        }
        ClientFrame::Token(token) => json!({ "token": token }),
        ClientFrame::Grant(grant) => json!({ "grant": grant }),
        ClientFrame::Event(event) => return check_event(text, event),
        ClientFrame::RefusedEvent(refused) => return check_refused(text, *refused),
        ClientFrame::Read => json!({ "read": true }),
        ClientFrame::ReadConversation(conversation) => return check_read(text, conversation),
        ClientFrame::Push(PushRequest::Save(subscription)) => return check_push(subscription),
        ClientFrame::Push(PushRequest::Remove(endpoint)) => json!({ "unpush": endpoint }),
        ClientFrame::Push(PushRequest::Invalid(endpoint, _)) => {
            assert!(endpoint.len() <= 2_048, "what is repeated is short");
            return;
        }
        ClientFrame::Ping => json!({ "ping": true }),
    };
    // The general parser also rejects errors in unknown fields, such as a number out of range or half a
    // surrogate pair.
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        for (name, value) in again.as_object().expect("an object") {
            assert_eq!(whole.get(name), Some(value));
        }
    }
    assert_eq!(ClientFrame::parse(&again.to_string()), Some(parsed));
}

/// Whatever else is in the object, the conversation is that of the text.
fn check_read(text: &str, conversation: &Conversation) {
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        assert_eq!(whole["read"]["conversation"], json!(conversation.as_str()));
    }
    let again = json!({ "read": { "conversation": conversation.as_str() } }).to_string();
    assert_eq!(ClientFrame::parse(&again), Some(ClientFrame::ReadConversation(conversation.clone())));
}

/// A subscription is written and read again as it is.
fn check_push(subscription: &PushSubscription) {
    let again = json!({ "push": subscription }).to_string();
    let expected = ClientFrame::Push(PushRequest::Save(subscription.clone()));
    assert_eq!(ClientFrame::parse(&again), Some(expected));
}

/// An event is within its limits, and its value is the client's own JSON.
fn check_event(text: &str, event: &ClientEvent) {
    let (name, value) = (event.name(), event.value());
    assert!(name.len() <= 32 && value.len() <= 1_024, "an event is small");
    assert!(text.contains(value) || value == "null", "a value is passed on as it was written");
    let again = format!(r#"{{"to":{},"event":"{name}","value":{value}}}"#, json!(event.to));
    let parsed = ClientFrame::parse(&again);
    assert!(matches!(parsed, Some(ClientFrame::Event(parsed)) if parsed == *event), "{again}");
}

/// Nothing is refused that is within its limits.
fn check_refused(text: &str, refused: EventRefused) {
    match refused {
        EventRefused::Name => {
            let Ok(whole) = serde_json::from_str::<Value>(text) else { return };
            let name = whole["event"].as_str().expect("a name");
            let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
            assert!(!(1..=32).contains(&name.len()) || !name.bytes().all(allowed), "{name}");
        }
        EventRefused::Value => assert!(text.len() > 1_024, "a value is as long as its text"),
    }
}

/// Each pair of bytes is a pause, and the number of messages after it.
fn check_rate(data: &[u8]) {
    const WINDOW: Duration = Duration::from_secs(10);
    const MESSAGES: usize = 200;
    const BYTES: usize = 1_000;
    let mut rate = MessageRate::default();
    let mut now = Instant::now();
    // The messages of the last window, and those of them that were allowed.
    let (mut sent, mut allowed) = (VecDeque::new(), VecDeque::new());
    for pair in data.chunks_exact(2).take(16) {
        now += Duration::from_millis(u64::from(pair[0]) * 50);
        for list in [&mut sent, &mut allowed] {
            while list.front().is_some_and(|then| now.duration_since(*then) > WINDOW) {
                list.pop_front();
            }
        }
        for _ in 0..usize::from(pair[1]) * 2 {
            sent.push_back(now);
            if rate.allows(now, 4, 200, BYTES) {
                allowed.push_back(now);
            } else {
                assert!(
                    sent.len() > MESSAGES || sent.len() * 4 > BYTES,
                    "a client within the limits was refused"
                );
            }
            // The daemon counts in fixed windows, so twice the limit fits into a sliding window.
            assert!(
                allowed.len() <= 2 * MESSAGES && allowed.len() * 4 <= 2 * BYTES,
                "a flood was not detected"
            );
        }
    }
}
