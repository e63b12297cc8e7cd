//! Validated identifiers. A value of one of these types is valid; nothing checks it again.

mod user;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::user::{AnyText, AnyUserId, InvalidUserId, Sender, UnknownUserIdType, UserId, UserIdType};

/// The digits of a generated id: Crockford's Base32 (ULID specification, "Encoding").
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id of one message. It stays the same while the message is pushed, stored and delivered again.
///
/// There are three kinds, and no id is of two kinds: a generated id is 26 letters and digits, an id that the
/// caller chose is `<sender>:<id>`, and a row that the application inserted itself has the id
/// `row/<id>/<digest>`: no colon, and no user id has a slash. The digest of sender and content is there because
/// row ids start again at 1 after `TRUNCATE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

impl MessageId {
    /// Longest id in bytes: a caller's 64, a sender of up to as many, and the colon.
    pub const MAX_BYTES: usize = 129;

    /// A new id from the time and ten random bytes, in the layout of a ULID: later ids sort later.
    pub fn generate(unix_ms: u64, entropy: [u8; 10]) -> Self {
        let mut bits = [0_u8; 16];
        bits[6..].copy_from_slice(&entropy);
        let value = u128::from_be_bytes(bits) | (u128::from(unix_ms & 0xFFFF_FFFF_FFFF) << 80);
        let text =
            (0..26).rev().map(|digit| char::from(CROCKFORD[(value >> (digit * 5)) as usize & 31])).collect();
        Self(text)
    }

    /// When a generated id was made, in milliseconds since 1970; `None` for the other kinds.
    pub fn time_ms(&self) -> Option<u64> {
        if self.0.len() != 26 {
            return None;
        }
        let value = self.0.bytes().try_fold(0_u128, |value, byte| {
            let digit = CROCKFORD.iter().position(|digit| *digit == byte)?;
            Some(value << 5 | digit as u128)
        })?;
        u64::try_from(value >> 80).ok()
    }

    /// The sender of an id that a sender has chosen, of this type; `None` for the other kinds.
    pub fn sender(&self, kind: UserIdType) -> Option<UserId> {
        kind.text(self.0.split_once(':')?.0).ok()
    }

    /// The id that `sender` has chosen for a message. The same text of another sender is another id.
    pub fn chosen(sender: &UserId, ChosenId(text): ChosenId<'_>) -> Self {
        Self(format!("{sender}:{text}"))
    }

    /// Whether a sender has chosen it, so that a call with it may be repeated at any time.
    pub fn is_chosen(&self) -> bool {
        self.0.contains(':')
    }

    /// The id of a row that the application inserted itself, from the row's `id` and a digest of its sender
    /// and content.
    pub fn of_row(id: u64, digest: u64) -> Self {
        Self(format!("row/{id}/{digest:016x}"))
    }

    /// The row's id and digest, if this is the id of a row that the application inserted itself.
    pub fn as_row(&self) -> Option<(u64, u64)> {
        let (id, digest) = self.0.strip_prefix("row/")?.split_once('/')?;
        Some((id.parse().ok()?, u64::from_str_radix(digest, 16).ok()?))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MessageId {
    type Error = InvalidMessageId;

    fn try_from(text: String) -> Result<Self, InvalidMessageId> {
        if is_printable(text.as_bytes(), Self::MAX_BYTES) { Ok(Self(text)) } else { Err(InvalidMessageId) }
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 129 printable ASCII bytes")]
pub struct InvalidMessageId;

/// A text that a sender has chosen as the id of a message: 1 to 64 printable ASCII characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenId<'a>(&'a str);

impl<'a> TryFrom<&'a [u8]> for ChosenId<'a> {
    type Error = InvalidChosenId;

    fn try_from(bytes: &'a [u8]) -> Result<Self, InvalidChosenId> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidChosenId)?;
        if is_printable(bytes, 64) { Ok(Self(text)) } else { Err(InvalidChosenId) }
    }
}

/// The text cannot be chosen as a message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 printable ASCII characters")]
pub struct InvalidChosenId;

fn is_printable(text: &[u8], longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_sort_by_time_and_keep_every_random_bit() {
        let early = MessageId::generate(1_732_323_232_123, [0xFF; 10]);
        let late = MessageId::generate(1_732_323_232_124, [0; 10]);
        assert!(early.as_str() < late.as_str());
        assert_eq!(early.as_str().len(), 26);
        assert_ne!(MessageId::generate(1, [1; 10]), MessageId::generate(1, [2; 10]));
        assert_eq!((early.time_ms(), late.time_ms()), (Some(1_732_323_232_123), Some(1_732_323_232_124)));
        assert_eq!(MessageId::generate(u64::MAX, [0xFF; 10]).time_ms(), Some(0xFFFF_FFFF_FFFF));
        assert_eq!(MessageId::of_row(7, 1_700_000_000).time_ms(), None);
        assert_eq!(MessageId(format!("7:{}", "X".repeat(24))).time_ms(), None);
    }

    #[test]
    fn row_ids_read_back_and_others_are_not_rows() {
        assert_eq!(MessageId::of_row(7, u64::MAX).as_row(), Some((7, u64::MAX)));
        assert_eq!(MessageId::generate(1, [0; 10]).as_row(), None);
        assert_eq!(MessageId::try_from("7:row/1/2".to_owned()).unwrap().as_row(), None);
    }

    #[test]
    fn a_chosen_id_belongs_to_its_sender() {
        let sender = |id| UserId::try_from(id).unwrap();
        let chosen = |sender: UserId, text: &str| {
            MessageId::chosen(&sender, ChosenId::try_from(text.as_bytes()).unwrap())
        };
        let order = chosen(sender(7), "order 1~");
        assert_eq!(order.as_str(), "7:order 1~");
        assert_ne!(order, chosen(sender(8), "order 1~"));
        assert_eq!(order.sender(UserIdType::Int), Some(sender(7)));
        assert_eq!(
            [MessageId::of_row(7, 1), MessageId::generate(1, [7; 10])].map(|id| id.sender(UserIdType::Text)),
            [None, None]
        );
        let longest = chosen(UserIdType::Text.text(&"y".repeat(64)).unwrap(), &"x".repeat(64));
        assert!(order.is_chosen() && longest.as_str().len() == MessageId::MAX_BYTES);
        let row = chosen(UserIdType::Text.text("row").unwrap(), "1:0000000000000002");
        assert!(row.is_chosen() && row.as_row().is_none());
        assert!(!MessageId::generate(1, [7; 10]).is_chosen() && !MessageId::of_row(7, 1).is_chosen());
        for bad in [&b""[..], &[b'x'; 65], b"a\nb", "é".as_bytes(), b"\xFF"] {
            assert_eq!(ChosenId::try_from(bad), Err(InvalidChosenId));
        }
    }

    #[test]
    fn message_ids_are_printable_and_short() {
        for bad in [String::new(), "a\nb".to_owned(), "é".to_owned(), "x".repeat(130)] {
            assert_eq!(MessageId::try_from(bad), Err(InvalidMessageId));
        }
    }
}
