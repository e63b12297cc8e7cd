//! Checked arguments. What is wrong with one is a `ValueError` that names it, in every mode, before anything
//! is queued.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::limit::{ACK_IDS, CONTENT_BYTES, ROWS_PER_CALL, TYPE_BYTES};
use ext_php_rs::types::ZendHashTable;

use crate::zend::{self, TextOrNumber};

/// Longest life of a token in seconds: a year.
const LONGEST_TTL: i64 = 31_536_000;

/// The user id at a position.
pub(crate) fn user(position: u32, number: i64) -> Option<UserId> {
    UserId::try_from(number).map_err(|error| zend::value_error(position, &error.to_string())).ok()
}

/// The content at a position: valid UTF-8 of at most 65,535 bytes.
pub(crate) fn content(position: u32, bytes: &[u8]) -> Option<&str> {
    if bytes.len() > CONTENT_BYTES {
        zend::value_error(position, &format!("must have at most {CONTENT_BYTES} bytes"));
        return None;
    }
    utf8(position, bytes)
}

/// The message type at a position: a number, or valid UTF-8 of at most 64 bytes.
pub(crate) fn message_type(position: u32, either: TextOrNumber<'_>) -> Option<MessageType> {
    match either {
        TextOrNumber::Number(number) => Some(MessageType::Number(number)),
        TextOrNumber::Text(bytes) if bytes.len() > TYPE_BYTES => {
            zend::value_error(position, &format!("must have at most {TYPE_BYTES} bytes"));
            None
        }
        TextOrNumber::Text(bytes) => utf8(position, bytes).map(|name| MessageType::Name(name.to_owned())),
    }
}

/// The message id that the sender has chosen.
pub(crate) fn message_id(position: u32, sender: UserId, bytes: &[u8]) -> Option<MessageId> {
    let id = MessageId::chosen(sender, bytes);
    id.map_err(|_| zend::value_error(position, "must be 1 to 64 printable ASCII characters")).ok()
}

/// How many rows at most.
pub(crate) fn limit(position: u32, number: i64) -> Option<u32> {
    match u32::try_from(number) {
        Ok(limit) if (1..=ROWS_PER_CALL).contains(&limit) => Some(limit),
        _ => {
            zend::value_error(position, &format!("must be between 1 and {ROWS_PER_CALL}"));
            None
        }
    }
}

/// The row id after which to begin.
pub(crate) fn after(position: u32, number: i64) -> Option<u64> {
    let after = u64::try_from(number);
    after.map_err(|_| zend::value_error(position, "must be greater than or equal to 0")).ok()
}

/// How long a token is valid, in seconds.
pub(crate) fn ttl(position: u32, number: i64) -> Option<u64> {
    match u64::try_from(number) {
        Ok(seconds) if (1..=LONGEST_TTL).contains(&number) => Some(seconds),
        _ => {
            zend::value_error(position, &format!("must be between 1 and {LONGEST_TTL}"));
            None
        }
    }
}

/// Row ids, each at least 1.
pub(crate) fn row_ids(position: u32, table: &ZendHashTable) -> Option<Vec<u64>> {
    if table.len() > ACK_IDS {
        zend::value_error(position, &format!("must have at most {ACK_IDS} elements"));
        return None;
    }
    let mut ids = Vec::new();
    for value in table.values() {
        let number = zend::element_as_number(value, position)?;
        match u64::try_from(number) {
            Ok(id) if id > 0 => ids.push(id),
            _ => {
                zend::value_error(position, "must contain only row ids greater than 0");
                return None;
            }
        }
    }
    Some(ids)
}

fn utf8(position: u32, bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).map_err(|_| zend::value_error(position, "must be valid UTF-8")).ok()
}
