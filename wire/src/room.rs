//! The name of a room.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limit::ROOM_BYTES;

/// The name of a room: 1 to 64 ASCII letters, digits, or any of `. _ : @ -`. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Room(Arc<str>);

impl Room {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Room {
    type Error = InvalidRoom;

    fn try_from(name: &str) -> Result<Self, InvalidRoom> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        if (1..=ROOM_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidRoom)
        }
    }
}

impl TryFrom<String> for Room {
    type Error = InvalidRoom;

    fn try_from(name: String) -> Result<Self, InvalidRoom> {
        Self::try_from(name.as_str())
    }
}

impl From<Room> for String {
    fn from(room: Room) -> Self {
        (*room.0).to_owned()
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not the name of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {ROOM_BYTES} letters, digits, or any of . _ : @ -")]
pub struct InvalidRoom;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "team:1", "A-Z_0.9@x", &"r".repeat(64)] {
            assert_eq!(Room::try_from(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a{b}", "é", "a/b", "a\n", &"r".repeat(65)] {
            assert_eq!(Room::try_from(bad), Err(InvalidRoom), "{bad}");
        }
    }
}
