//! Frames about a message after it was sent: that it was recalled or delivered, and its copy for the sender.

use super::Message;
use crate::id::{MessageId, UserId};

/// A sender has taken back messages: `{"type":"recall","ids":["7:a"]}`.
pub fn recall(ids: &[MessageId]) -> String {
    format!("{{\"type\":\"recall\",\"ids\":{}}}", json(&ids))
}

/// The messages that a frame of [`recall`] names; none if it is another frame.
pub fn recalled(frame: &str) -> Vec<MessageId> {
    #[derive(serde::Deserialize)]
    struct Recall {
        ids: Vec<MessageId>,
    }
    serde_json::from_str::<Recall>(frame).map_or_else(|_| Vec::new(), |recall| recall.ids)
}

/// A client of `to` has confirmed messages: `{"type":"delivered","to":9,"ids":["7:a"]}`.
pub fn delivered(to: &UserId, ids: &[&MessageId]) -> String {
    format!("{{\"type\":\"delivered\",\"to\":{},\"ids\":{}}}", json(to), json(&ids))
}

/// The copy of a message for its sender's own connections. It says whom the message is for.
pub fn carbon(message: &Message<'_>, to: &UserId, time_ms: u64) -> String {
    format!("{}{time_ms},\"to\":{}}}", message.before_time(), json(to))
}

/// The same of a message for many receivers: `to` is a list.
pub fn carbon_to_many(message: &Message<'_>, to: &[&UserId], time_ms: u64) -> String {
    format!("{}{time_ms},\"to\":{}}}", message.before_time(), json(&to))
}

/// Ids and lists of them, which JSON can always represent.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recalled_ids_read_back() {
        let ids =
            ["7:\"\\", "01KB2Y5Q8ZC3W0D4V6T1N7M9PA"].map(|id| MessageId::try_from(id.to_owned()).unwrap());
        assert_eq!(recalled(&recall(&ids)), ids);
        for other in ["", "[]", r#"{"ids":5}"#, r#"{"ids":[""]}"#] {
            assert!(recalled(other).is_empty(), "{other}");
        }
    }
}
