//! A text of a client is understood only if it says just that, and a client that talks too much is noticed.

use std::collections::VecDeque;
use std::time::Duration;

use chatpush_daemon::config::Limits;
use chatpush_daemon::edge::session::client_frame::ClientFrame;
use chatpush_daemon::edge::session::message_rate::MessageRate;
use serde_json::{Value, json};
use tokio::time::Instant;

pub(super) fn run(data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) if text.len() <= Limits::default().message_bytes => read(text),
        Ok(_) => {}
        Err(_) => {
            // No text begins with this byte, so what follows it is put to another use.
            if let Some(pauses) = data.strip_prefix(b"\xFF") {
                talk(pauses);
            }
        }
    }
}

/// Holds what was understood against a reading of any JSON.
fn read(text: &str) {
    let Some(said) = ClientFrame::parse(text) else { return };
    assert!(text.trim_start().starts_with('{'), "our frames are objects");
    let again = match &said {
        ClientFrame::Ack(ids) => {
            assert!(ids.len() * 4 <= text.len(), "work is bounded by the text");
            json!({ "ack": ids })
        }
        ClientFrame::Token(token) => json!({ "token": token }),
        ClientFrame::Read => json!({ "read": true }),
        ClientFrame::Ping => json!({ "ping": true }),
    };
    // A general reader is stricter where a field is none of ours: a number too large for it, half a surrogate pair.
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        for (name, value) in again.as_object().expect("an object") {
            assert_eq!(whole.get(name), Some(value));
        }
    }
    assert_eq!(ClientFrame::parse(&again.to_string()), Some(said));
}

/// Takes each pair of bytes as a pause and a number of messages after it.
fn talk(data: &[u8]) {
    const WINDOW: Duration = Duration::from_secs(10);
    const MESSAGES: usize = 200;
    const BYTES: usize = 1_000;
    let limits = Limits { messages: 200, bytes: BYTES, ..Limits::default() };
    let mut pace = MessageRate::default();
    let mut now = Instant::now();
    // What was said within the last window, and what of that was allowed.
    let (mut said, mut allowed) = (VecDeque::new(), VecDeque::new());
    for pair in data.chunks_exact(2).take(16) {
        now += Duration::from_millis(u64::from(pair[0]) * 50);
        for list in [&mut said, &mut allowed] {
            while list.front().is_some_and(|then| now.duration_since(*then) > WINDOW) {
                list.pop_front();
            }
        }
        for _ in 0..usize::from(pair[1]) * 2 {
            said.push_back(now);
            if pace.allows(now, 4, &limits) {
                allowed.push_back(now);
            } else {
                assert!(
                    said.len() > MESSAGES || said.len() * 4 > BYTES,
                    "whoever keeps to the pace may go on"
                );
            }
            // A window that has just begun knows nothing of the one before.
            assert!(allowed.len() <= 2 * MESSAGES && allowed.len() * 4 <= 2 * BYTES, "a flood is noticed");
        }
    }
}
