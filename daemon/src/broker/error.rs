//! What can go wrong with Redis, in words that may be logged.

use redis::{ErrorKind, RedisError};

/// A failure of Redis. Its text never holds what Redis was sent or has answered: that may be a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct BrokerError {
    text: String,
    broken: bool,
}

impl BrokerError {
    /// A failure in our own words.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), broken: true }
    }

    /// Whether the connection is not to be used again.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        let broken = error.is_unrecoverable_error() || error.is_timeout();
        let text = match error.kind() {
            // The library prints the value that it could not convert.
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => "Redis answered unexpectedly".to_owned(),
            _ => error.to_string(),
        };
        Self { text, broken }
    }
}

#[cfg(test)]
mod tests {
    use redis::{FromRedisValue as _, Value};

    use super::*;

    #[test]
    fn an_answer_is_never_repeated() {
        let error = i64::from_redis_value(Value::BulkString(b"for your eyes only".to_vec())).unwrap_err();
        assert!(!BrokerError::from(RedisError::from(error)).to_string().contains("eyes"));
    }
}
