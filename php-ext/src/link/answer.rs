//! The answer to a command, as the type that the command has.

use chatpush_resp::Value;

use super::error::LinkError;
use super::redis_error::RedisError;

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer(pub(super) Value);

impl Answer {
    /// The answer, unless it is an error.
    pub(crate) fn into_result(self) -> Result<Self, LinkError> {
        match self.0 {
            Value::Error(text) if text.starts_with("NOSCRIPT") => Err(LinkError::NoScript),
            Value::Error(text) => Err(RedisError::new(text).into()),
            other => Ok(Self(other)),
        }
    }

    /// The answer as a number.
    pub(crate) fn into_number(self) -> Result<i64, LinkError> {
        match self.into_result()?.0 {
            Value::Number(number) => Ok(number),
            other => Err(LinkError::UnexpectedType(other.kind())),
        }
    }

    /// The answer as an array.
    pub(crate) fn into_array(self) -> Result<Vec<Self>, LinkError> {
        match self.into_result()?.0 {
            Value::Array(items) => Ok(items.into_iter().map(Self).collect()),
            other => Err(LinkError::UnexpectedType(other.kind())),
        }
    }

    /// The answer as bytes.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, LinkError> {
        match self.into_result()?.0 {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(LinkError::UnexpectedType(other.kind())),
        }
    }
}
