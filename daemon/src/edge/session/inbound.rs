//! What a client may say.

use std::time::Duration;

use chatpush_wire::id::MessageId;
use serde::Deserialize;
use tokio::time::Instant;

use crate::config::Limits;
use crate::hub::close::Close;

/// What messages that confirm nothing are counted over.
const WINDOW: Duration = Duration::from_secs(10);

/// What a `chatpush.v1` client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound {
    /// `{"ack":["id",…]}`: the page has handled these messages.
    Ack(Vec<MessageId>),
    /// `{"read":true}`: the user has read everything.
    Read,
    /// `{"token":"…"}`: a new token for the same user, so that the connection outlives the old one.
    Token(String),
    /// `{"ping":true}`: the page cannot see WebSocket's own pings and wants to know that we are here.
    Ping,
}

impl Inbound {
    /// Reads a text frame; nothing if it is not one of ours.
    pub fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Frame {
            ack: Option<Vec<MessageId>>,
            #[serde(default)]
            read: bool,
            token: Option<String>,
            #[serde(default)]
            ping: bool,
        }
        // serde would fill a structure from an array too.
        let object = text.trim_start().starts_with('{').then_some(text)?;
        let frame: Frame = serde_json::from_str(object).ok()?;
        match frame {
            Frame { ack: Some(ids), .. } => Some(Self::Ack(ids)),
            Frame { token: Some(token), .. } => Some(Self::Token(token)),
            Frame { read: true, .. } => Some(Self::Read),
            Frame { ping: true, .. } => Some(Self::Ping),
            _ => None,
        }
    }
}

/// How fast a client talks.
#[derive(Debug, Default)]
pub struct Pace {
    since: Option<Instant>,
    messages: u32,
    bytes: usize,
}

impl Pace {
    /// Counts one message; false if there were too many, or too many bytes, within the window.
    pub fn allows(&mut self, now: Instant, bytes: usize, limits: &Limits) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) > WINDOW) {
            *self = Self { since: Some(now), ..Self::default() };
        }
        self.messages += 1;
        self.bytes += bytes;
        self.messages <= limits.messages && self.bytes <= limits.bytes
    }
}

/// The close that answers a socket error: the client's fault has a code, a broken connection has none.
pub fn violation(error: &axum::Error) -> Option<Close> {
    // axum boxes the error of the WebSocket library, whose text is the only thing it shows of it.
    error.to_string().contains("too long").then_some(Close::TooBig)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_and_reads_are_understood_and_the_rest_is_not() {
        let id = MessageId::try_from("a".to_owned()).unwrap();
        assert_eq!(Inbound::read(r#"{"ack":["a"]}"#), Some(Inbound::Ack(vec![id])));
        assert_eq!(Inbound::read(r#"{"read":true}"#), Some(Inbound::Read));
        assert_eq!(Inbound::read(r#"{"ping":true}"#), Some(Inbound::Ping));
        assert_eq!(Inbound::read(r#"{"token":"t"}"#), Some(Inbound::Token("t".to_owned())));
        for other in [
            "",
            "ping",
            "{}",
            "[]",
            r#"{"read":false}"#,
            r#"{"ack":[""]}"#,
            r#"{"ack":"a"}"#,
            r#"[["a"],false,null,false]"#,
        ] {
            assert_eq!(Inbound::read(other), None, "{other}");
        }
    }

    #[test]
    fn frames_of_a_client_say_what_the_golden_file_says() {
        let lines: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../tests/golden/client.json")).unwrap();
        for line in lines {
            let ids = || serde_json::from_value(line["ids"].clone()).unwrap();
            let says = match line["says"].as_str().unwrap() {
                "ack" => Inbound::Ack(ids()),
                "read" => Inbound::Read,
                "token" => Inbound::Token(line["token"].as_str().unwrap().to_owned()),
                "ping" => Inbound::Ping,
                other => panic!("{other}"),
            };
            assert_eq!(Inbound::read(line["frame"].as_str().unwrap()), Some(says));
        }
    }

    #[test]
    fn a_pace_is_measured_over_a_window() {
        let limits = Limits { messages: 10, bytes: 1_000, ..Limits::default() };
        let start = Instant::now();
        let mut pace = Pace::default();
        assert!((0..10).all(|_| pace.allows(start, 1, &limits)));
        assert!(!pace.allows(start, 1, &limits));
        assert!(pace.allows(start + WINDOW * 2, 1_000, &limits));
        assert!(!pace.allows(start + WINDOW * 2, 1, &limits));
    }
}
