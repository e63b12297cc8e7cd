//! The frames that a `chatpush.v1` client may send.

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::{AnyUserId, MessageId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::edge::events::{ClientEvent, EventRefused};
use crate::edge::push_requests::PushRequest;

/// A frame of a `chatpush.v1` client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// `{"ack":["id",…]}`: the page has handled these messages.
    Ack(Vec<MessageId>),
    /// `{"read":true}`: the user has read everything.
    Read,
    /// `{"read":{"conversation":"…"}}`: the user has read a conversation.
    ReadConversation(Conversation),
    /// `{"token":"…"}`: a new token for the same user, so that the connection outlives the old one.
    Token(String),
    /// `{"grant":"…"}`: whose presence the page sees, whom it sends events, which rooms it is in.
    Grant(String),
    /// `{"to":9,"event":"typing","value":…}`: an event for a peer.
    Event(ClientEvent),
    /// The same with a name or a value that is not allowed.
    RefusedEvent(EventRefused),
    /// `{"push":{…}}`, `{"unpush":"…"}`: the page can be reached by Web Push, or not any more.
    Push(PushRequest),
    /// `{"ping":true}`: an application-level ping, since a page cannot see WebSocket's own pings.
    Ping,
}

impl ClientFrame {
    /// Parses a text frame; `None` if it is not one of these.
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Read {
            All(bool),
            Conversation { conversation: Conversation },
        }
        #[derive(Deserialize)]
        struct Frame<'a> {
            ack: Option<Vec<MessageId>>,
            read: Option<Read>,
            token: Option<String>,
            grant: Option<String>,
            to: Option<AnyUserId>,
            event: Option<String>,
            #[serde(borrow)]
            value: Option<&'a RawValue>,
            #[serde(borrow)]
            push: Option<&'a RawValue>,
            unpush: Option<String>,
            #[serde(default)]
            ping: bool,
        }
        // serde would also deserialize the struct from a JSON array.
        let object = text.trim_start().starts_with('{').then_some(text)?;
        let frame: Frame<'_> = serde_json::from_str(object).ok()?;
        match frame {
            Frame { ack: Some(ids), .. } => Some(Self::Ack(ids)),
            Frame { token: Some(token), .. } => Some(Self::Token(token)),
            Frame { grant: Some(grant), .. } => Some(Self::Grant(grant)),
            Frame { to: Some(to), event: Some(name), value, .. } => {
                let value = value.map_or("null", RawValue::get);
                Some(ClientEvent::new(to, &name, value).map_or_else(Self::RefusedEvent, Self::Event))
            }
            Frame { push: Some(subscription), .. } => Some(Self::Push(PushRequest::save(subscription.get()))),
            Frame { unpush: Some(endpoint), .. } => Some(Self::Push(PushRequest::remove(endpoint))),
            Frame { read: Some(Read::All(true)), .. } => Some(Self::Read),
            Frame { read: Some(Read::Conversation { conversation }), .. } => {
                Some(Self::ReadConversation(conversation))
            }
            Frame { ping: true, .. } => Some(Self::Ping),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::push_subscription::PushSubscription;

    use super::*;

    #[test]
    fn only_these_frames_are_parsed() {
        let id = MessageId::try_from("a".to_owned()).unwrap();
        assert_eq!(ClientFrame::parse(r#"{"ack":["a"]}"#), Some(ClientFrame::Ack(vec![id])));
        assert_eq!(ClientFrame::parse(r#"{"read":true}"#), Some(ClientFrame::Read));
        let team = Conversation::try_from("team".to_owned()).unwrap();
        let read = r#"{"read":{"conversation":"team"}}"#;
        assert_eq!(ClientFrame::parse(read), Some(ClientFrame::ReadConversation(team)));
        assert_eq!(ClientFrame::parse(r#"{"ping":true}"#), Some(ClientFrame::Ping));
        assert_eq!(ClientFrame::parse(r#"{"token":"t"}"#), Some(ClientFrame::Token("t".to_owned())));
        assert_eq!(ClientFrame::parse(r#"{"grant":"g"}"#), Some(ClientFrame::Grant("g".to_owned())));
        let event = |to: &str, value| {
            let to = serde_json::from_str(to).unwrap();
            ClientEvent::new(to, "typing", value).ok().map(ClientFrame::Event)
        };
        for (text, to, value) in [
            (r#"{"to":9,"event":"typing","value":{"a" : [1, "]"]}}"#, "9", r#"{"a" : [1, "]"]}"#),
            (r#"{"to":"bob","event":"typing","value":null}"#, "\"bob\"", "null"),
            (r#"{"to":9,"event":"typing"}"#, "9", "null"),
        ] {
            assert_eq!(ClientFrame::parse(text), event(to, value), "{text}");
        }
        let of_bytes =
            |bytes: usize| format!(r#"{{"to":9,"event":"typing","value":"{}"}}"#, "v".repeat(bytes - 2));
        assert!(matches!(ClientFrame::parse(&of_bytes(1_024)), Some(ClientFrame::Event(_))));
        let refused = |refused| Some(ClientFrame::RefusedEvent(refused));
        assert_eq!(ClientFrame::parse(&of_bytes(1_025)), refused(EventRefused::Value));
        assert_eq!(ClientFrame::parse(r#"{"to":9,"event":"Typing"}"#), refused(EventRefused::Name));
        for other in [
            r#"{"to":"a b","event":"typing"}"#,
            r#"{"event":"typing","value":1}"#,
            r#"{"to":9}"#,
            "",
            "ping",
            "{}",
            "[]",
            r#"{"read":false}"#,
            r#"{"read":{"conversation":"not a name"}}"#,
            r#"{"read":{}}"#,
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
                "read conversation" => ClientFrame::ReadConversation(
                    serde_json::from_value(line["conversation"].clone()).unwrap(),
                ),
                "token" => ClientFrame::Token(line["token"].as_str().unwrap().to_owned()),
                "grant" => ClientFrame::Grant(line["grant"].as_str().unwrap().to_owned()),
                "event" => {
                    let to = serde_json::from_value(line["to"].clone()).unwrap();
                    let (name, value) = (line["event"].as_str().unwrap(), line["value"].to_string());
                    ClientFrame::Event(ClientEvent::new(to, name, &value).unwrap())
                }
                "push" => ClientFrame::Push(PushRequest::Save(
                    PushSubscription::parse(&line["push"].to_string()).unwrap(),
                )),
                "unpush" => {
                    ClientFrame::Push(PushRequest::Remove(line["unpush"].as_str().unwrap().to_owned()))
                }
                "ping" => ClientFrame::Ping,
                other => panic!("{other}"),
            };
            assert_eq!(ClientFrame::parse(line["frame"].as_str().unwrap()), Some(says));
        }
    }
}
