//! Validated identifiers. A value of one of these types is valid; nothing checks it again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A user id: the application's `user.id`, 1 to 2,147,483,647 (MySQL's signed `INT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct UserId(u32);

impl UserId {
    /// The largest id that fits the column, 2³¹ − 1.
    pub const MAX: i64 = i32::MAX as i64;

    /// The id as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for UserId {
    type Error = InvalidUserId;

    fn try_from(value: i64) -> Result<Self, InvalidUserId> {
        match u32::try_from(value) {
            Ok(id) if (1..=Self::MAX).contains(&value) => Ok(Self(id)),
            _ => Err(InvalidUserId),
        }
    }
}

impl From<UserId> for i64 {
    fn from(id: UserId) -> Self {
        Self::from(id.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number is not a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be between 1 and 2147483647")]
pub struct InvalidUserId;

/// The digits of a generated id: Crockford's Base32 (ULID specification, "Encoding").
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id of one message. It stays the same while the message is pushed, stored and delivered again.
///
/// There are three kinds, and no id is of two kinds: a generated id is 26 letters and digits, an id that the
/// caller chose is `<sender>:<id>`, and a row that the application inserted itself has the id
/// `row:<id>:<digest>`. The digest of sender and content is there because row ids start again at 1 after
/// `TRUNCATE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

impl MessageId {
    /// Longest id in bytes: a caller's 64, a sender of up to 10 digits and the colon.
    pub const MAX_BYTES: usize = 75;

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

    /// The sender of an id that a sender has chosen; `None` for the other kinds.
    pub fn sender(&self) -> Option<UserId> {
        let (sender, _) = self.0.split_once(':').filter(|_| self.is_chosen())?;
        UserId::try_from(sender.parse::<i64>().ok()?).ok()
    }

    /// The id that `sender` has chosen for a message. The same text of another sender is another id.
    pub fn chosen(sender: UserId, ChosenId(text): ChosenId<'_>) -> Self {
        Self(format!("{sender}:{text}"))
    }

    /// Whether a sender has chosen it, so that a call with it may be repeated at any time.
    pub fn is_chosen(&self) -> bool {
        self.0.contains(':') && self.0.starts_with(|first: char| first.is_ascii_digit())
    }

    /// The id of a row that the application inserted itself, from the row's `id` and a digest of its sender
    /// and content.
    pub fn of_row(id: u64, digest: u64) -> Self {
        Self(format!("row:{id}:{digest:016x}"))
    }

    /// The row's id and digest, if this is the id of a row that the application inserted itself.
    pub fn as_row(&self) -> Option<(u64, u64)> {
        let (id, digest) = self.0.strip_prefix("row:")?.split_once(':')?;
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
#[error("must be 1 to 75 printable ASCII bytes")]
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
    fn user_ids_are_bounded_by_the_column() {
        for good in [1, 2_147_483_647] {
            assert_eq!(UserId::try_from(good).map(i64::from), Ok(good));
        }
        for bad in [0, -1, 2_147_483_648, i64::MAX, i64::MIN] {
            assert_eq!(UserId::try_from(bad), Err(InvalidUserId));
        }
    }

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
        assert_eq!(MessageId::try_from("7:row:1:2".to_owned()).unwrap().as_row(), None);
    }

    #[test]
    fn a_chosen_id_belongs_to_its_sender() {
        let sender = |id| UserId::try_from(id).unwrap();
        let chosen =
            |sender, text: &str| MessageId::chosen(sender, ChosenId::try_from(text.as_bytes()).unwrap());
        let order = chosen(sender(7), "order 1~");
        assert_eq!(order.as_str(), "7:order 1~");
        assert_ne!(order, chosen(sender(8), "order 1~"));
        assert_eq!(order.sender(), Some(sender(7)));
        assert_eq!(
            (MessageId::of_row(7, 1).sender(), MessageId::generate(1, [7; 10]).sender()),
            (None, None)
        );
        let longest = chosen(sender(UserId::MAX), &"x".repeat(64));
        assert!(order.is_chosen() && longest.as_str().len() == MessageId::MAX_BYTES);
        assert!(!MessageId::generate(1, [7; 10]).is_chosen() && !MessageId::of_row(7, 1).is_chosen());
        for bad in [&b""[..], &[b'x'; 65], b"a\nb", "é".as_bytes(), b"\xFF"] {
            assert_eq!(ChosenId::try_from(bad), Err(InvalidChosenId));
        }
    }

    #[test]
    fn message_ids_are_printable_and_short() {
        for bad in [String::new(), "a\nb".to_owned(), "é".to_owned(), "x".repeat(76)] {
            assert_eq!(MessageId::try_from(bad), Err(InvalidMessageId));
        }
    }
}
