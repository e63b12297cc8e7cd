//! The frames that a `chatpush.v1` client may send.

use chatpush_wire::id::MessageId;
use serde::Deserialize;

/// A frame of a `chatpush.v1` client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// `{"ack":["id",…]}`: the page has handled these messages.
    Ack(Vec<MessageId>),
    /// `{"read":true}`: the user has read everything.
    Read,
    /// `{"token":"…"}`: a new token for the same user, so that the connection outlives the old one.
    Token(String),
    /// `{"ping":true}`: an application-level ping, since a page cannot see WebSocket's own pings.
    Ping,
}

impl ClientFrame {
    /// Parses a text frame; `None` if it is not one of these.
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Frame {
            ack: Option<Vec<MessageId>>,
            #[serde(default)]
            read: bool,
            token: Option<String>,
            #[serde(default)]
            ping: bool,
        }
        // serde would also deserialize the struct from a JSON array.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_frames_are_parsed() {
        let id = MessageId::try_from("a".to_owned()).unwrap();
        assert_eq!(ClientFrame::parse(r#"{"ack":["a"]}"#), Some(ClientFrame::Ack(vec![id])));
        assert_eq!(ClientFrame::parse(r#"{"read":true}"#), Some(ClientFrame::Read));
        assert_eq!(ClientFrame::parse(r#"{"ping":true}"#), Some(ClientFrame::Ping));
        assert_eq!(ClientFrame::parse(r#"{"token":"t"}"#), Some(ClientFrame::Token("t".to_owned())));
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
            assert_eq!(ClientFrame::parse(other), None, "{other}");
        }
    }

    #[test]
    fn golden_frames_parse_as_the_file_says() {
        let lines: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../../../tests/golden/client.json")).unwrap();
        for line in lines {
            let ids = || serde_json::from_value(line["ids"].clone()).unwrap();
            let says = match line["says"].as_str().unwrap() {
                "ack" => ClientFrame::Ack(ids()),
                "read" => ClientFrame::Read,
                "token" => ClientFrame::Token(line["token"].as_str().unwrap().to_owned()),
                "ping" => ClientFrame::Ping,
                other => panic!("{other}"),
            };
            assert_eq!(ClientFrame::parse(line["frame"].as_str().unwrap()), Some(says));
        }
    }
}
