//! A frame is JSON with the content verbatim, and changing its type changes nothing else.

use arbitrary::{Arbitrary, Unstructured};
use chatpush_wire::frame::{self, DEFAULT_TYPE, Message, MessageType};
use chatpush_wire::id::{MessageId, Sender};
use serde_json::{Value, json};

#[derive(Arbitrary, Debug)]
enum Kind<'a> {
    Name(&'a str),
    Number(i64),
}

impl Kind<'_> {
    fn to_type(&self) -> MessageType {
        match self {
            Self::Name(name) => MessageType::Name((*name).to_owned()),
            Self::Number(number) => MessageType::Number(*number),
        }
    }
}

#[derive(Arbitrary, Debug)]
enum From<'a> {
    Int(i64),
    BigInt(i64),
    Text(&'a str),
}

impl From<'_> {
    /// The sender, and how JSON spells it.
    fn to_sender(&self) -> (Sender, Value) {
        match self {
            Self::Int(id) => (Sender::Int(*id), json!(id)),
            Self::BigInt(id) => (Sender::BigInt(*id), json!(id.to_string())),
            Self::Text(id) => (Sender::Text((*id).to_owned()), json!(id)),
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: Option<Kind<'a>>,
    configured: Kind<'a>,
    from: Option<From<'a>>,
    time_ms: u64,
    id: &'a str,
    data: &'a str,
}

pub(super) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(content) = frame::content_of(text)
        && let Ok(whole) = serde_json::from_str::<Value>(text)
    {
        assert_eq!(whole["data"], content, "the content of a foreign frame");
    }
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) {
        render(&input);
    }
}

fn render(Input { kind, configured, from, time_ms, id, data }: &Input<'_>) {
    let id = MessageId::try_from((*id).to_owned()).unwrap_or_else(|_| MessageId::of_row(1, 2));
    let (kind, configured) = (kind.as_ref().map(Kind::to_type), configured.to_type());
    for kind in kind.iter().chain([&configured]) {
        assert_eq!(MessageType::decode(&kind.encode()).as_ref(), Some(kind));
    }
    let from = from.as_ref().map(From::to_sender);
    let message = Message {
        id: &id,
        message_type: kind.as_ref(),
        data,
        from: from.as_ref().map(|(sender, _)| sender),
        conversation: None,
    };
    let (live, stored) = (message.live(*time_ms), message.stored(*time_ms));
    assert_eq!(
        live,
        format!("{}{time_ms}{}", message.before_time(), frame::AFTER_TIME),
        "a script inserts the time"
    );

    let mut expected = json!({ "id": id, "type": spelled(kind.as_ref()), "data": data, "time": time_ms });
    if let Some((_, spelled)) = &from {
        expected["from"] = spelled.clone();
    }
    assert_eq!(parsed(&live), expected);
    assert_eq!(frame::content_of(&live).as_deref(), Some(*data));
    if kind.is_none() {
        let retyped = frame::retyped(&live, &id, &configured);
        assert_eq!(retyped, Message { message_type: Some(&configured), ..message }.live(*time_ms));
    }
    expected["offline"] = json!(true);
    assert_eq!(parsed(&stored), expected);
    let counted = json!({ "type": "unread_count", "data": time_ms });
    assert_eq!(parsed(&frame::unread(*time_ms, None, false)), counted);
}

fn spelled(kind: Option<&MessageType>) -> Value {
    match kind {
        None => json!(DEFAULT_TYPE),
        Some(MessageType::Name(name)) => json!(name),
        Some(MessageType::Number(number)) => json!(number),
    }
}

fn parsed(frame: &str) -> Value {
    serde_json::from_str(frame).expect("a frame is JSON")
}
