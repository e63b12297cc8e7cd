//! The conversation that a message belongs to: a group, a topic, a ticket.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a conversation: 1 to 64 of `A-Za-z0-9._:@-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Conversation(String);

impl Conversation {
    /// The longest name in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Conversation {
    type Error = InvalidConversation;

    fn try_from(text: String) -> Result<Self, InvalidConversation> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidConversation)
        }
    }
}

impl From<Conversation> for String {
    fn from(conversation: Conversation) -> Self {
        conversation.0
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not the name of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, or any of . _ : @ -")]
pub struct InvalidConversation;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_need_no_escape() {
        for good in ["7", "team:sales@example.org", "a.b_c-D", &"x".repeat(64)] {
            assert_eq!(Conversation::try_from(good.to_owned()).map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a\n", "é", "{a}", "a\"", &"x".repeat(65)] {
            assert_eq!(Conversation::try_from(bad.to_owned()), Err(InvalidConversation), "{bad}");
        }
    }
}
