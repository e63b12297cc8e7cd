//! The JSON text frames that a browser receives.
//!
//! A message is `{"id":"…","type":"text","data":"hello","from":7,"time":1732323232123,"offline":true}`;
//! `from` is there if the sender is known, `"conversation":"team"` behind it if the message belongs to one, and
//! `offline` if the message was stored before it was delivered. A frame is rendered once, by the side that has the content, and forwarded as bytes from there on.

pub mod live;
pub mod push;
pub mod sent;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::conversation::Conversation;
use crate::id::{MessageId, Sender};

/// The type of a message that was stored without one, unless the daemon is configured otherwise.
pub const DEFAULT_TYPE: &str = "text";

/// The application's own type of a message: PHP's `string|int`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// A name of up to 64 bytes, possibly empty.
    Name(String),
    /// A number, as applications with integer constants use.
    Number(i64),
}

impl MessageType {
    /// The type as one text that [`MessageType::decode`] reads back.
    pub fn encode(&self) -> String {
        match self {
            Self::Name(name) => format!("s:{name}"),
            Self::Number(number) => format!("i:{number}"),
        }
    }

    /// The type that [`MessageType::encode`] wrote; `None` if the text is not one.
    pub fn decode(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("s", name) => Some(Self::Name(name.to_owned())),
            ("i", number) => number.parse().ok().map(Self::Number),
            _ => None,
        }
    }
}

/// Whether a frame is a message's, and none of the daemon's own, which have no id.
pub fn is_message(frame: &str) -> bool {
    frame.starts_with("{\"id\":")
}

/// The id in a message's frame.
pub fn message_id(frame: &str) -> Option<MessageId> {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: MessageId,
    }
    serde_json::from_str::<Identified>(frame).ok().map(|frame| frame.id)
}

/// What a message frame is rendered from.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The message's id.
    pub id: &'a MessageId,
    /// The message type; `None` stands for [`DEFAULT_TYPE`].
    pub message_type: Option<&'a MessageType>,
    /// The content, verbatim.
    pub data: &'a str,
    /// The sender, if known.
    pub from: Option<&'a Sender>,
    /// The conversation, if the message belongs to one.
    pub conversation: Option<&'a Conversation>,
}

impl Message<'_> {
    /// The frame up to the digits of the time. [`AFTER_TIME`] follows them. The script that accepts a message
    /// puts the time between the two.
    pub fn before_time(&self) -> String {
        let mut frame = String::with_capacity(self.data.len() + self.data.len() / 8 + 96);
        frame.push_str(&head(self.id, self.message_type));
        frame.push_str(",\"data\":");
        push_json(&mut frame, self.data);
        if let Some(from) = self.from {
            frame.push_str(",\"from\":");
            push_sender(&mut frame, from);
        }
        if let Some(conversation) = self.conversation {
            frame.push_str(",\"conversation\":");
            push_json(&mut frame, conversation.as_str());
        }
        frame.push_str(",\"time\":");
        frame
    }

    /// The frame of a message that is delivered as it is accepted.
    pub fn live(&self, time_ms: u64) -> String {
        let mut frame = self.before_time();
        frame.push_str(&time_ms.to_string());
        frame.push_str(AFTER_TIME);
        frame
    }

    /// The frame of a message that was stored before it is delivered.
    pub fn stored(&self, time_ms: u64) -> String {
        let mut frame = self.before_time();
        frame.push_str(&time_ms.to_string());
        frame.push_str(",\"offline\":true}");
        frame
    }
}

/// What follows the time in the frame of a message that is delivered as it is accepted.
pub const AFTER_TIME: &str = "}";

/// What a frame with the unread counter begins with, and no other frame.
const UNREAD: &str = "{\"type\":\"unread_count\",";

/// Whether this is the frame of an unread counter.
pub fn is_unread(frame: &str) -> bool {
    frame.starts_with(UNREAD)
}

/// The frame with the unread counter, and with what each conversation counts, if that is known. `more`: there are
/// others than these ([`crate::limit::UNREAD_CONVERSATIONS`]).
pub fn unread(count: u64, by: Option<&BTreeMap<String, u64>>, more: bool) -> String {
    let by = by.map(|by| {
        // Texts and numbers: this cannot fail.
        format!(",\"by\":{}", serde_json::to_string(by).unwrap_or_default())
    });
    let more = if more { ",\"more\":true" } else { "" };
    format!("{UNREAD}\"data\":{count}{}{more}}}", by.unwrap_or_default())
}

/// Replaces the type of a frame that was rendered without one, and so with [`DEFAULT_TYPE`].
pub fn retyped<'a>(frame: &'a str, id: &MessageId, message_type: &MessageType) -> Cow<'a, str> {
    match frame.strip_prefix(&head(id, None)) {
        Some(rest) => Cow::Owned(head(id, Some(message_type)) + rest),
        None => Cow::Borrowed(frame),
    }
}

/// The content of a message frame; `None` for other frames.
pub fn content_of(frame: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Data {
        data: String,
    }
    // serde would accept an array for a structure too.
    let object = frame.trim_start().starts_with('{').then_some(frame)?;
    serde_json::from_str::<Data>(object).ok().map(|frame| frame.data)
}

fn head(id: &MessageId, message_type: Option<&MessageType>) -> String {
    let mut head = String::with_capacity(96);
    head.push_str("{\"id\":");
    push_json(&mut head, id.as_str());
    head.push_str(",\"type\":");
    match message_type {
        Some(MessageType::Name(name)) => push_json(&mut head, name),
        Some(MessageType::Number(number)) => head.push_str(&number.to_string()),
        None => push_json(&mut head, DEFAULT_TYPE),
    }
    head
}

/// Appends a sender. JavaScript's numbers are exact up to 2⁵³ only, so a large one is a text.
fn push_sender(out: &mut String, sender: &Sender) {
    match sender {
        Sender::Int(id) => out.push_str(&id.to_string()),
        Sender::BigInt(id) => push_json(out, &id.to_string()),
        Sender::Text(id) => push_json(out, id),
    }
}

/// Appends a text as a JSON string. RFC 8259 section 7 requires escapes for the quotation mark, the backslash
/// and the control characters only.
fn push_json(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        let (clean, special) = rest.split_at(at);
        out.push_str(clean);
        push_escaped(out, special.as_bytes()[0]);
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// The index of the first byte that a JSON string escapes. Most texts have few or none, so whole blocks are
/// searched, which the compiler turns into vector instructions.
fn first_special(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let is_clean = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | special(byte));
    let clean = text.chunks_exact(BLOCK).take_while(is_clean).count() * BLOCK;
    text[clean..].iter().position(special).map(|at| clean + at)
}

fn push_escaped(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => {
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> MessageId {
        MessageId::try_from("01".to_owned()).unwrap()
    }

    #[test]
    fn every_content_reads_back() {
        let id = id();
        let every_control: String = (0..0x20_u8).map(char::from).collect();
        for data in
            ["", "hello", "😀", "\"'; DROP TABLE `user`; --\\", "a\0b", "</script>\u{2028}", &every_control]
        {
            let frame = Message { id: &id, message_type: None, data, from: None, conversation: None }.live(5);
            assert_eq!(content_of(&frame).as_deref(), Some(data), "{frame}");
        }
    }

    #[test]
    fn escapes_are_found_at_every_index() {
        let id = id();
        for at in 0..100 {
            for special in ["\"", "\\", "\n", "\u{1f}"] {
                let data = format!("{}{special}{}{special}", "x".repeat(at), "é".repeat(at));
                let frame =
                    Message { id: &id, message_type: None, data: &data, from: None, conversation: None }
                        .live(5);
                assert_eq!(content_of(&frame), Some(data));
            }
        }
    }

    #[test]
    fn other_frames_have_no_content() {
        for text in ["", "{}", r#"["hello"]"#, r#"{"data":5}"#, r#"{"type":"unread_count","data":3}"#] {
            assert_eq!(content_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_type_keeps_its_kind() {
        for message_type in
            [MessageType::Name(String::new()), MessageType::Name("a:b".to_owned()), MessageType::Number(-5)]
        {
            assert_eq!(MessageType::decode(&message_type.encode()), Some(message_type));
        }
        assert_eq!(MessageType::decode("x:1"), None);
        assert_eq!(MessageType::decode("i:one"), None);
    }

    #[test]
    fn retyping_replaces_the_default_type_alone() {
        let id = id();
        let message = Message {
            id: &id,
            message_type: None,
            data: "\"type\":\"text\"",
            from: Some(&Sender::Int(7)),
            conversation: None,
        };
        let message_type = MessageType::Name("chat".to_owned());
        let expected = Message { message_type: Some(&message_type), ..message }.live(5);
        assert_eq!(retyped(&message.live(5), &id, &message_type), expected);
    }
}
