//! The golden files. The PHP tests read them too.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a golden file that cannot be read fails its test")]

use std::collections::BTreeMap;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::Entry;
use chatpush_wire::envelope::{self, Envelope};
use chatpush_wire::frame::live::{self, EventName};
use chatpush_wire::frame::{self, Message, MessageType, sent};
use chatpush_wire::grant;
use chatpush_wire::id::{AnyUserId, MessageId, Sender, UserId, UserIdType};
use chatpush_wire::new_entry::NewMessage;
use chatpush_wire::partition::Partition;
use chatpush_wire::room::Room;
use chatpush_wire::token::{self, Secret, TokenError, Verifier};
use serde_json::Value;

const ID: &str = "golden";
const TIME: u64 = 1_732_323_232_123;

fn lines(file: &str) -> Vec<Value> {
    let lines: Vec<Value> = serde_json::from_str(file).unwrap();
    assert!(!lines.is_empty());
    lines
}

fn text<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {line}"))
}

fn user(line: &Value, name: &str) -> UserId {
    UserId::try_from(line[name].as_i64().unwrap()).unwrap()
}

/// A text of digits is an id of type `bigint`, or `text`, whose frame is the same.
fn sender(from: &Value) -> Option<Sender> {
    let text = || {
        from.as_str().map(|text| text.parse().map_or_else(|_| Sender::Text(text.to_owned()), Sender::BigInt))
    };
    from.as_i64().map(Sender::Int).or_else(text)
}

fn filled(text: &str) -> String {
    text.replace("<id>", ID).replace("<time>", &TIME.to_string())
}

fn id() -> MessageId {
    MessageId::try_from(ID.to_owned()).unwrap()
}

fn ids(line: &Value) -> Vec<MessageId> {
    serde_json::from_value(line["ids"].clone()).unwrap()
}

fn message_type(line: &Value) -> MessageType {
    match &line["type"] {
        Value::Number(number) => MessageType::Number(number.as_i64().unwrap()),
        name => MessageType::Name(name.as_str().unwrap().to_owned()),
    }
}

#[test]
fn hash_tags_match_the_golden_file() {
    let tags: Vec<String> = serde_json::from_str(include_str!("../../tests/golden/tags.json")).unwrap();
    assert_eq!(Partition::all().map(Partition::tag).collect::<Vec<_>>(), tags);
}

#[test]
fn pushes_match_the_golden_file() {
    for line in lines(include_str!("../../tests/golden/pushed.json")) {
        let message_type = message_type(&line);
        let message = Message {
            id: &id(),
            message_type: Some(&message_type),
            data: text(&line, "content"),
            from: None,
            conversation: None,
        };
        let channel = filled(text(&line, "channel"));
        assert_eq!(envelope::EPHEMERAL.to_owned() + &message.live(TIME), channel);
        let Ok(Envelope::Ephemeral { frame }) = Envelope::decode(channel.as_bytes()) else {
            panic!("{channel} is not a live envelope");
        };
        let frame: Value = serde_json::from_str(frame).unwrap();
        assert_eq!((&frame["data"], &frame["type"]), (&line["content"], &line["type"]));
    }
}

#[test]
fn stored_messages_match_the_golden_file() {
    for line in lines(include_str!("../../tests/golden/stored.json")) {
        let (sender, receiver, content) =
            (user(&line, "sender"), user(&line, "receiver"), text(&line, "content"));
        let from = Sender::from(&sender);
        let message =
            Message { id: &id(), message_type: None, data: content, from: Some(&from), conversation: None };
        assert_eq!(envelope::tracked(&id(), true) + &message.live(TIME), filled(text(&line, "channel")));

        let new = NewMessage {
            id: &id(),
            sender: &sender,
            receiver: &receiver,
            content,
            message_type: None,
            conversation: None,
        };
        let golden: Vec<String> =
            line["entry"].as_array().unwrap().iter().map(|field| filled(field.as_str().unwrap())).collect();
        let fields: Vec<String> = new
            .fields()
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value.into_owned()])
            .collect();
        assert_eq!(fields, golden);
        let pairs: Vec<_> = golden.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        let Ok(Entry::Message { id: found, content: read, .. }) = Entry::decode(&pairs, UserIdType::Int)
        else {
            panic!("{pairs:?} is not a message");
        };
        assert_eq!((found, read.as_str()), (id(), content));
    }
}

#[test]
fn frames_match_the_golden_file() {
    for line in lines(include_str!("../../tests/golden/frames.json")) {
        let golden = text(&line, "frame");
        let rendered = match text(&line, "kind") {
            "unread" => {
                let by: Option<BTreeMap<String, u64>> = serde_json::from_value(line["by"].clone()).unwrap();
                frame::unread(line["count"].as_u64().unwrap(), by.as_ref(), line["more"] == true)
            }
            name @ ("live" | "stored" | "carbon") => {
                let message = &line["message"];
                let id = MessageId::try_from(text(message, "id").to_owned()).unwrap();
                let (message_type, time) = (message_type(message), message["time"].as_u64().unwrap());
                let from = sender(&message["from"]);
                let conversation = message["conversation"]
                    .as_str()
                    .map(|name| Conversation::try_from(name.to_owned()).unwrap());
                let message = Message {
                    id: &id,
                    message_type: Some(&message_type),
                    data: text(message, "data"),
                    from: from.as_ref(),
                    conversation: conversation.as_ref(),
                };
                match name {
                    "live" => message.live(time),
                    "carbon" if line["message"]["to"].is_array() => {
                        let ids = line["message"]["to"].as_array().unwrap().iter();
                        let to: Vec<_> =
                            ids.map(|id| UserId::try_from(id.as_i64().unwrap()).unwrap()).collect();
                        sent::carbon_to_many(&message, &to.iter().collect::<Vec<_>>(), time)
                    }
                    "carbon" => sent::carbon(&message, &user(&line["message"], "to"), time),
                    _ => message.stored(time),
                }
            }
            "room" => {
                let message = &line["message"];
                let id = MessageId::try_from(text(message, "id").to_owned()).unwrap();
                let (message_type, time) = (message_type(message), message["time"].as_u64().unwrap());
                let room = Room::try_from(text(message, "room")).unwrap();
                let message = Message {
                    id: &id,
                    message_type: Some(&message_type),
                    data: text(message, "data"),
                    from: None,
                    conversation: None,
                };
                live::in_room(&message, &room, time)
            }
            "recall" => sent::recall(&ids(&line)),
            "delivered" => sent::delivered(&user(&line, "to"), &ids(&line).iter().collect::<Vec<_>>()),
            "presence" => {
                let users = line["users"].as_object().unwrap().iter();
                let mut users: Vec<_> =
                    users.map(|(user, online)| (user, online.as_bool().unwrap())).collect();
                // The general JSON parser has sorted them as texts.
                users.sort_by_key(|(user, _)| user.len());
                live::presence(users)
            }
            "event" => {
                let name = EventName::new(text(&line, "event")).unwrap();
                live::event(name, &user(&line, "from"), &line["value"].to_string())
            }
            "granted" => live::granted(line["until"].as_u64().unwrap()),
            "grant_ended" => live::grant_ended(text(&line, "error")),
            // The daemon renders the pong itself, and frames of later versions do not exist yet.
            _ => continue,
        };
        assert_eq!(rendered, golden);
    }
}

#[test]
fn grants_match_the_golden_file() {
    for line in lines(include_str!("../../tests/golden/grants.json")) {
        let secret = Secret::new(text(&line, "secret")).unwrap();
        let (now, ttl) = (line["now"].as_u64().unwrap(), line["ttl"].as_u64().unwrap());
        let ids = line["peers"].as_array().unwrap().iter();
        let peers: Vec<_> = ids.map(|id| UserId::try_from(id.as_i64().unwrap()).unwrap()).collect();
        let rooms: Vec<Room> = serde_json::from_value(line["rooms"].clone()).unwrap();
        let token = grant::sign(&secret, user(&line, "user"), None, now, ttl, &peers, &rooms);
        assert_eq!(token, text(&line, "token"));
        let verifier =
            Verifier { secrets: [secret].into(), audience: None, user_ids: UserIdType::Int, clock_skew: 0 };
        let read = verifier.verify_grant(&token, now).unwrap();
        assert_eq!((read.peers, read.rooms, read.token.expires), (peers, rooms, now + ttl));
    }
}

#[test]
fn tokens_match_the_golden_file() {
    for line in lines(include_str!("../../tests/golden/tokens.json")) {
        let secret = Secret::new(text(&line, "secret")).unwrap();
        let (now, ttl) = (line["now"].as_u64().unwrap(), line["ttl"].as_u64().unwrap());
        let user: AnyUserId = serde_json::from_value(line["user"].clone()).unwrap();
        let token = token::sign(&secret, &user, None, now, ttl);
        assert_eq!(token, text(&line, "token"));
        for user_ids in UserIdType::ALL {
            let secrets = [secret.clone()].into();
            let verifier = Verifier { secrets, audience: None, user_ids, clock_skew: 0 };
            match (verifier.verify(&token, now), user.of_type(user_ids)) {
                (Ok(pass), Ok(user)) => assert_eq!((pass.user, pass.expires), (user, now + ttl)),
                (Err(TokenError::Subject | TokenError::SubjectType(_)), Err(_)) => {}
                other => panic!("{token} for {user_ids:?}: {other:?}"),
            }
        }
    }
}
