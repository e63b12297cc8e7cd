//! The values that directives can have.

use std::time::Duration;

use chatpush_wire::address::Address;
use chatpush_wire::key::Prefix;

use super::InvalidValue;

/// Longest time that can be set, in milliseconds: an hour.
pub(super) const LONGEST: u64 = 3_600_000;

/// Longest time to poll for an answer, in microseconds.
pub(super) const LONGEST_POLL: u64 = 10_000;

pub(super) fn address(bytes: &[u8]) -> Result<Address, InvalidValue> {
    Ok(Address::parse(text(bytes)?)?)
}

pub(super) fn prefix(bytes: &[u8]) -> Result<Prefix, InvalidValue> {
    let text = text(bytes)?;
    Prefix::try_from(text.to_owned()).map_err(|error| InvalidValue::Prefix(text.to_owned(), error))
}

pub(super) fn milliseconds(bytes: &[u8]) -> Result<Duration, InvalidValue> {
    let text = text(bytes)?;
    match text.trim().parse::<u64>() {
        Ok(number) if (1..=LONGEST).contains(&number) => Ok(Duration::from_millis(number)),
        _ => Err(InvalidValue::Milliseconds(text.to_owned())),
    }
}

pub(super) fn microseconds(bytes: &[u8]) -> Result<Duration, InvalidValue> {
    let text = text(bytes)?;
    match text.trim().parse::<u64>() {
        Ok(number) if number <= LONGEST_POLL => Ok(Duration::from_micros(number)),
        _ => Err(InvalidValue::Microseconds(text.to_owned())),
    }
}

/// What a store waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// For the commit.
    Committed,
    /// For Redis alone.
    Queued,
    /// For Redis and one replica of it.
    Replicated,
}

/// What a store waits for.
pub(super) fn durability(bytes: &[u8]) -> Result<Durability, InvalidValue> {
    match text(bytes)? {
        "committed" => Ok(Durability::Committed),
        "queued" => Ok(Durability::Queued),
        "replicated" => Ok(Durability::Replicated),
        other => Err(InvalidValue::Durability(other.to_owned())),
    }
}

pub(super) fn errors(bytes: &[u8]) -> Result<(), InvalidValue> {
    match text(bytes)? {
        "exception" | "warning" => Ok(()),
        other => Err(InvalidValue::Errors(other.to_owned())),
    }
}

/// A value ends at a NUL for some of the engine's functions, and not for others.
fn text(bytes: &[u8]) -> Result<&str, InvalidValue> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidValue::Text)?;
    if text.contains('\0') { Err(InvalidValue::Text) } else { Ok(text) }
}
