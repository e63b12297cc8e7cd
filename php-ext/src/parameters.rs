//! The kinds of parameters. An invalid argument is a `ValueError` that names it, with every setting of
//! `chatpush.errors`, before anything is sent.

mod grants;
mod row_ids;
mod user_ids;

use std::fmt::Display;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::frame::{self, MessageType};
use chatpush_wire::id::{AnyUserId, ChosenId, InvalidUserId, MessageId};
use chatpush_wire::limit::{CONTENT_BYTES, DUE_USERS, LEASE_TIME, ROWS_PER_CALL, TOKEN_TTL, TYPE_BYTES};
use chatpush_wire::push_subscription::{InvalidPushSubscription, PushEndpoint, PushSubscription};
use ext_php_rs::types::ZendStr;

pub(crate) use self::grants::{NONE, Peers, Rooms};
pub(crate) use self::row_ids::RowIds;
use crate::declaration::Kind;
use crate::users::UserArgument;
use crate::zend::{self, StringIdentity, TextOrNumber};

/// The message type of a message that is sent without one.
pub(crate) const DEFAULT_TYPE: TextOrNumber<'_> = TextOrNumber::Text(frame::DEFAULT_TYPE.as_bytes());

impl<'a> Kind<'a> for UserArgument {
    type Parsed = TextOrNumber<'a>;
    type Value = Self;

    fn check(position: u32, parsed: TextOrNumber<'a>) -> Option<Self> {
        valid(position, any_user_id(parsed)).map(|id| Self::new(position, id))
    }
}

/// A user id of some type; or why it is of none.
fn any_user_id(parsed: TextOrNumber<'_>) -> Result<AnyUserId, String> {
    match parsed {
        TextOrNumber::Number(number) => Ok(AnyUserId::Number(number)),
        TextOrNumber::Text(bytes) => AnyUserId::try_from(bytes)
            .map_err(|InvalidUserId(text)| format!("must be a number, or {}", text.rule())),
    }
}

impl<'a> Kind<'a> for MessageType {
    type Parsed = TextOrNumber<'a>;
    type Value = Self;

    fn check(position: u32, parsed: TextOrNumber<'a>) -> Option<Self> {
        match parsed {
            TextOrNumber::Number(number) => Some(Self::Number(number)),
            TextOrNumber::Text(bytes) => {
                let name = text(position, bytes, TYPE_BYTES)?;
                Some(Self::Name(name.to_owned()))
            }
        }
    }
}

impl<'a> Kind<'a> for ChosenId<'_> {
    type Parsed = &'a [u8];
    type Value = ChosenId<'a>;

    fn check(position: u32, bytes: &'a [u8]) -> Option<ChosenId<'a>> {
        valid(position, ChosenId::try_from(bytes))
    }
}

impl<'a> Kind<'a> for MessageId {
    type Parsed = &'a [u8];
    type Value = Self;

    fn check(position: u32, bytes: &'a [u8]) -> Option<Self> {
        // An id is ASCII, so what is not UTF-8 is not an id either way.
        valid(position, Self::try_from(String::from_utf8_lossy(bytes).into_owned()))
    }
}

impl<'a> Kind<'a> for Conversation {
    type Parsed = TextOrNumber<'a>;
    type Value = Self;

    fn check(position: u32, parsed: TextOrNumber<'a>) -> Option<Self> {
        valid(position, Self::try_from(name(parsed)))
    }
}

/// A browser's subscription to Web Push, as JSON.
impl<'a> Kind<'a> for PushSubscription {
    type Parsed = &'a [u8];
    type Value = Self;

    fn check(position: u32, bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidPushSubscription::NotJson);
        valid(position, text.and_then(Self::parse))
    }
}

impl<'a> Kind<'a> for PushEndpoint {
    type Parsed = &'a [u8];
    type Value = Self;

    fn check(position: u32, bytes: &'a [u8]) -> Option<Self> {
        // An address is ASCII, so what is not UTF-8 is not one either way.
        valid(position, Self::try_from(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// The content of a message.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) text: &'a str,
    /// The string that the caller passed.
    pub(crate) string: StringIdentity,
}

impl<'a> Kind<'a> for Content<'_> {
    type Parsed = &'a ZendStr;
    type Value = Content<'a>;

    fn check(position: u32, string: &'a ZendStr) -> Option<Content<'a>> {
        let text = text(position, string.as_bytes(), CONTENT_BYTES)?;
        Some(Content { text, string: StringIdentity::of(string) })
    }
}

/// How many rows to return at most.
pub(crate) struct RowLimit;

impl Kind<'_> for RowLimit {
    type Parsed = i64;
    type Value = u32;

    fn check(position: u32, number: i64) -> Option<u32> {
        let limit = u32::try_from(number).ok().filter(|limit| (1..=ROWS_PER_CALL).contains(limit));
        valid(position, limit.ok_or_else(|| format!("must be between 1 and {ROWS_PER_CALL}")))
    }
}

/// How many users who are due to return at most.
pub(crate) struct DueLimit;

impl Kind<'_> for DueLimit {
    type Parsed = i64;
    type Value = u32;

    fn check(position: u32, number: i64) -> Option<u32> {
        let limit = u32::try_from(number).ok().filter(|limit| (1..=DUE_USERS).contains(limit));
        valid(position, limit.ok_or_else(|| format!("must be between 1 and {DUE_USERS}")))
    }
}

/// How long a lease lasts, in seconds.
pub(crate) struct LeaseSeconds;

impl Kind<'_> for LeaseSeconds {
    type Parsed = i64;
    type Value = u64;

    fn check(position: u32, number: i64) -> Option<u64> {
        let longest = LEASE_TIME.as_secs();
        let seconds = u64::try_from(number).ok().filter(|seconds| (1..=longest).contains(seconds));
        valid(position, seconds.ok_or_else(|| format!("must be between 1 and {longest}")))
    }
}

/// The row id after which the rows begin.
pub(crate) struct AfterRow;

impl Kind<'_> for AfterRow {
    type Parsed = i64;
    type Value = u64;

    fn check(position: u32, number: i64) -> Option<u64> {
        valid(position, u64::try_from(number).map_err(|_| "must be greater than or equal to 0"))
    }
}

/// The lifetime of a token in seconds.
pub(crate) struct Ttl;

impl Kind<'_> for Ttl {
    type Parsed = i64;
    type Value = u64;

    fn check(position: u32, number: i64) -> Option<u64> {
        let longest = TOKEN_TTL.as_secs();
        let ttl = u64::try_from(number).ok().filter(|ttl| (1..=longest).contains(ttl));
        valid(position, ttl.ok_or_else(|| format!("must be between 1 and {longest}")))
    }
}

/// The name of a conversation or a room.
fn name(parsed: TextOrNumber<'_>) -> String {
    match parsed {
        // PHP makes integers of the keys of an array that are digits.
        TextOrNumber::Number(number) => number.to_string(),
        // A name is ASCII, so what is not UTF-8 is not a name either way.
        TextOrNumber::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// UTF-8 of at most so many bytes.
fn text(position: u32, bytes: &[u8], longest: usize) -> Option<&str> {
    if bytes.len() > longest {
        zend::value_error(position, &format!("must have at most {longest} bytes"));
        return None;
    }
    valid(position, std::str::from_utf8(bytes).map_err(|_| "must be valid UTF-8"))
}

fn valid<T, E: Display>(position: u32, checked: Result<T, E>) -> Option<T> {
    checked.map_err(|error| zend::value_error(position, &error.to_string())).ok()
}
