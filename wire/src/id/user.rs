//! User ids: those of the application, of the type that its columns have.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A user id of the application. Only [`UserIdType`] makes one, so it is valid. As JSON an `Int` is a number, and
/// the others are texts: JavaScript's numbers are exact up to 2⁵³ only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserId {
    /// 1 to 2,147,483,647, MySQL's signed `INT`. A clone copies it.
    #[non_exhaustive]
    Int(u32),
    /// Any number of 64 bits but 0, MySQL's signed `BIGINT`.
    #[non_exhaustive]
    BigInt(i64),
    /// 1 to 64 characters of `A-Za-z0-9._@-`. There is no colon: it ends an id in keys and message ids.
    #[non_exhaustive]
    Text(Arc<str>),
}

impl UserId {
    /// The largest id of type `int`, 2³¹ − 1.
    pub const MAX: i64 = i32::MAX as i64;

    /// The longest id of type `text`, in bytes.
    pub const TEXT_BYTES: usize = 64;

    /// The id, if its type is `text`.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(id) = self { Some(id) } else { None }
    }
}

/// Without the type, which is the same for all ids of an installation.
impl Hash for UserId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Int(id) => state.write_u32(*id),
            Self::BigInt(id) => state.write_i64(*id),
            Self::Text(id) => id.hash(state),
        }
    }
}

/// An id of type `int`.
impl TryFrom<i64> for UserId {
    type Error = InvalidUserId;

    fn try_from(value: i64) -> Result<Self, InvalidUserId> {
        UserIdType::Int.number(value)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(id) => id.fmt(f),
            Self::BigInt(id) => id.fmt(f),
            Self::Text(id) => id.fmt(f),
        }
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(id) => serializer.serialize_u32(*id),
            Self::BigInt(id) => serializer.collect_str(id),
            Self::Text(id) => serializer.serialize_str(id),
        }
    }
}

/// The type of all user ids of one installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserIdType {
    /// [`UserId::Int`].
    #[default]
    Int,
    /// [`UserId::BigInt`].
    BigInt,
    /// [`UserId::Text`].
    Text,
}

impl UserIdType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Int, Self::BigInt, Self::Text];

    /// The name in settings and in the installation record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Text => "text",
        }
    }

    /// What an id of this type must be.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Int => "between 1 and 2147483647",
            Self::BigInt => "a number of 64 bits other than 0",
            Self::Text => "1 to 64 characters of A-Z, a-z, 0-9, and . _ @ -",
        }
    }

    /// The id that a number stands for. Of type `text` it is the number's digits.
    ///
    /// # Errors
    ///
    /// When this type does not have it.
    pub fn number(self, number: i64) -> Result<UserId, InvalidUserId> {
        match (self, u32::try_from(number)) {
            (Self::Int, Ok(id)) if (1..=UserId::MAX).contains(&number) => Ok(UserId::Int(id)),
            (Self::BigInt, _) if number != 0 => Ok(UserId::BigInt(number)),
            (Self::Text, _) => Ok(UserId::Text(number.to_string().into())),
            _ => Err(InvalidUserId(self)),
        }
    }

    /// The id that a text stands for. Of the other types than `text` it is the number that the text has the digits
    /// of.
    ///
    /// # Errors
    ///
    /// When this type does not have it.
    pub fn text(self, text: &str) -> Result<UserId, InvalidUserId> {
        if self == Self::Text {
            return if is_text_id(text) { Ok(UserId::Text(text.into())) } else { Err(InvalidUserId(self)) };
        }
        // Rust would take a plus sign too.
        let number = text.parse().ok().filter(|_| !text.starts_with('+')).ok_or(InvalidUserId(self))?;
        self.number(number)
    }
}

impl fmt::Display for UserIdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for UserIdType {
    type Err = UnknownUserIdType;

    fn from_str(text: &str) -> Result<Self, UnknownUserIdType> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownUserIdType)
    }
}

/// The text names no type of user ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be int, bigint or text")]
pub struct UnknownUserIdType;

/// The number or text is not a user id of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUserId(pub UserIdType);

impl fmt::Display for InvalidUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {}", self.0.rule())
    }
}

impl std::error::Error for InvalidUserId {}

fn is_text_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    (1..=UserId::TEXT_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// A number or a text that is a user id of some type, where the type is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AnyUserId {
    /// Of any type, unless it is out of that type's range.
    Number(i64),
    /// Of type `text`, or the digits of a number.
    Text(AnyText),
}

/// A text that is a user id of some type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AnyText(Arc<str>);

impl AnyUserId {
    /// The id of this type.
    ///
    /// # Errors
    ///
    /// When the type does not have it.
    pub fn of_type(&self, kind: UserIdType) -> Result<UserId, InvalidUserId> {
        match self {
            Self::Number(number) => kind.number(*number),
            Self::Text(AnyText(text)) if kind == UserIdType::Text => Ok(UserId::Text(text.clone())),
            Self::Text(AnyText(text)) => kind.text(text),
        }
    }

    /// What to add to the error of an id that a type of numbers does not have, behind a space: the setting that allows
    /// ids like it. Empty if the id has no letter.
    pub fn hint(&self, kind: UserIdType) -> String {
        match self {
            Self::Text(AnyText(text))
                if kind != UserIdType::Text && text.bytes().any(|byte| byte.is_ascii_alphabetic()) =>
            {
                format!(" (user_id_type is {kind}; for ids such as {text} set it to text)")
            }
            _ => String::new(),
        }
    }
}

impl From<&UserId> for AnyUserId {
    fn from(id: &UserId) -> Self {
        match id {
            UserId::Int(id) => Self::Number((*id).into()),
            UserId::BigInt(id) => Self::Text(AnyText(id.to_string().into())),
            UserId::Text(id) => Self::Text(AnyText(id.clone())),
        }
    }
}

impl TryFrom<&[u8]> for AnyUserId {
    type Error = InvalidUserId;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidUserId> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| is_text_id(text));
        text.map(|text| Self::Text(AnyText(text.into()))).ok_or(InvalidUserId(UserIdType::Text))
    }
}

impl TryFrom<String> for AnyText {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<Self, InvalidUserId> {
        if is_text_id(&text) { Ok(Self(text.into())) } else { Err(InvalidUserId(UserIdType::Text)) }
    }
}

impl From<AnyText> for String {
    fn from(AnyText(text): AnyText) -> Self {
        text.as_ref().to_owned()
    }
}

impl fmt::Display for AnyUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(AnyText(text)) => text.fmt(f),
        }
    }
}

/// The sender of a message as its row names it. The application's rows may have one that is no user id, such as
/// 0 for the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A number in JSON.
    Int(i64),
    /// A text in JSON.
    BigInt(i64),
    /// A text in JSON.
    Text(String),
}

impl From<&UserId> for Sender {
    fn from(id: &UserId) -> Self {
        match id {
            UserId::Int(id) => Self::Int((*id).into()),
            UserId::BigInt(id) => Self::BigInt(*id),
            UserId::Text(id) => Self::Text(id.as_ref().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UserIdType::{BigInt, Int, Text};

    #[test]
    fn numbers_are_bounded_by_their_column() {
        for (kind, good) in [(Int, 1), (Int, 2_147_483_647), (BigInt, -1), (BigInt, 1 << 62)] {
            assert_eq!(kind.number(good).unwrap().to_string(), good.to_string());
            assert_eq!(kind.text(&good.to_string()), kind.number(good));
        }
        assert_eq!(BigInt.number(i64::MIN), Ok(UserId::BigInt(i64::MIN)));
        for bad in [0, -1, 2_147_483_648, i64::MAX, i64::MIN] {
            assert_eq!(UserId::try_from(bad), Err(InvalidUserId(Int)));
        }
        assert_eq!(BigInt.number(0), Err(InvalidUserId(BigInt)));
        for (kind, bad) in
            [(Int, "+5"), (Int, "5.0"), (Int, ""), (Int, " 5"), (BigInt, "9223372036854775808")]
        {
            assert_eq!(kind.text(bad), Err(InvalidUserId(kind)), "{bad}");
        }
    }

    #[test]
    fn texts_have_no_character_that_keys_need() {
        for good in ["Bob", "bob", "5", "0", "-5", "a.b_c@d-e", &"x".repeat(64)] {
            assert_eq!(Text.text(good).unwrap().to_string(), good);
            assert_eq!(AnyUserId::try_from(good.as_bytes()).unwrap().of_type(Text), Text.text(good));
        }
        for bad in ["", "a:b", "a b", "a{b}", "é", "a\n", "a+b", &"x".repeat(65)] {
            assert_eq!(Text.text(bad), Err(InvalidUserId(Text)), "{bad}");
            assert_eq!(AnyUserId::try_from(bad.as_bytes()), Err(InvalidUserId(Text)), "{bad}");
        }
        assert_eq!(Text.number(5), Text.text("5"));
        assert_ne!(Text.text("Bob"), Text.text("bob"));
    }

    #[test]
    fn a_text_of_digits_is_that_number() {
        let five = |json| serde_json::from_str::<AnyUserId>(json).unwrap();
        for kind in UserIdType::ALL {
            assert_eq!(five("5").of_type(kind), five("\"5\"").of_type(kind));
            assert_eq!(five("5").of_type(kind).unwrap().to_string(), "5");
        }
        for bad in ["1.5", "\"a:b\"", "null", "[5]", "9223372036854775808"] {
            assert!(serde_json::from_str::<AnyUserId>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_int_is_a_number_in_json() {
        let json = |id: UserId| serde_json::to_string(&id).unwrap();
        let all = UserIdType::ALL.map(|kind| json(kind.number(5).unwrap()));
        assert_eq!(all, ["5", "\"5\"", "\"5\""]);
    }

    #[test]
    fn types_read_back() {
        for kind in UserIdType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!("INT".parse::<UserIdType>(), Err(UnknownUserIdType));
    }
}
