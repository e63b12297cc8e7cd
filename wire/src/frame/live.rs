//! Frames that are never stored: presence, client events, what became of a grant, messages to a room.

use std::fmt::Display;

use super::{Message, push_json};
use crate::id::UserId;
use crate::limit::EVENT_NAME_BYTES;
use crate::room::Room;

/// The presence of some users: `{"type":"presence","users":{"9":true,"12":false}}`.
pub fn presence(users: impl IntoIterator<Item = (impl Display, bool)>) -> String {
    let mut frame = String::from("{\"type\":\"presence\",\"users\":{");
    for (index, (user, online)) in users.into_iter().enumerate() {
        if index > 0 {
            frame.push(',');
        }
        push_json(&mut frame, &user.to_string());
        frame.push_str(if online { ":true" } else { ":false" });
    }
    frame.push_str("}}");
    frame
}

/// An event of another client. `value` is JSON.
pub fn event(name: EventName<'_>, from: &UserId, value: &str) -> String {
    // A user id is a number or a text, which JSON can always represent.
    let from = serde_json::to_string(from).unwrap_or_default();
    format!("{{\"type\":\"event\",\"event\":\"{}\",\"from\":{from},\"value\":{value}}}", name.0)
}

/// The grant is in force until a time in seconds since 1970: this connection is in its rooms.
pub fn granted(until: u64) -> String {
    format!("{{\"type\":\"grant\",\"until\":{until}}}")
}

/// The grant was refused or has ended, and why.
pub fn grant_ended(error: &str) -> String {
    let mut frame = String::from("{\"type\":\"grant\",\"error\":");
    push_json(&mut frame, error);
    frame.push('}');
    frame
}

/// The frame of a message to everybody in a room.
pub fn in_room(message: &Message<'_>, room: &Room, time_ms: u64) -> String {
    format!("{}{time_ms},\"room\":\"{room}\"}}", message.before_time())
}

/// The name of a client event: 1 to 32 of `a-z`, `0-9`, `_`, `.` and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventName<'a>(&'a str);

impl<'a> EventName<'a> {
    /// The name, if the text is one.
    pub fn new(text: &'a str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        let fits = (1..=EVENT_NAME_BYTES).contains(&text.len()) && text.bytes().all(allowed);
        fits.then_some(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names_are_short_and_plain() {
        for good in ["typing", "a_b.c-9", &"x".repeat(32)] {
            assert!(EventName::new(good).is_some(), "{good}");
        }
        for bad in ["", "Typing", "a b", "a\"", "é", &"x".repeat(33)] {
            assert!(EventName::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn frames_are_json() {
        let user = |id: i64| UserId::try_from(id).unwrap();
        let name = EventName::new("typing").unwrap();
        for (frame, expected) in [
            (
                presence([(user(9), true), (user(12), false)]),
                r#"{"type":"presence","users":{"9":true,"12":false}}"#,
            ),
            (presence(Vec::<(UserId, bool)>::new()), r#"{"type":"presence","users":{}}"#),
            (
                event(name, &user(7), "[1, \"a\"]"),
                r#"{"type":"event","event":"typing","from":7,"value":[1, "a"]}"#,
            ),
            (granted(5), r#"{"type":"grant","until":5}"#),
            (grant_ended("a \"b\""), r#"{"type":"grant","error":"a \"b\""}"#),
        ] {
            assert_eq!(frame, expected);
            assert!(serde_json::from_str::<serde_json::Value>(&frame).unwrap().get("id").is_none());
        }
    }
}
