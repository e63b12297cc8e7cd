//! Errors of Redis that may be logged.

use std::borrow::Cow;

use redis::{ErrorKind, RedisError};

/// A failure of Redis.
///
/// Neither its text nor its source ever holds what was sent to Redis or what Redis answered: that may be a
/// message. So the library's error is kept as the source only if the connection failed, which no value can be
/// part of. Of an error answer, only the text is kept, without the arguments that Redis repeats; of an answer
/// that could not be converted, not even the text.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct BrokerError {
    text: Cow<'static, str>,
    broken: bool,
    #[source]
    source: Option<RedisError>,
}

impl BrokerError {
    /// A connection that was found broken.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), broken: true, source: None }
    }

    /// Whether the connection must not be used again.
    pub(crate) const fn is_broken(&self) -> bool {
        self.broken
    }
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        let broken = error.is_unrecoverable_error() || error.is_timeout();
        let text = match error.kind() {
            // The library prints the value that it could not convert.
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => "Redis answered unexpectedly".into(),
            _ => without_arguments(error.to_string()).into(),
        };
        Self { text, broken, source: error.is_io_error().then_some(error) }
    }
}

/// Redis repeats the arguments of a command that it does not know, for instance one of a later version.
fn without_arguments(mut text: String) -> String {
    if let Some(end) = text.find(", with args beginning with") {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use redis::{FromRedisValue as _, Value, make_extension_error};

    use super::*;

    #[test]
    fn an_answer_is_never_repeated() {
        let error = i64::from_redis_value(Value::BulkString(b"for your eyes only".to_vec())).unwrap_err();
        let error = BrokerError::from(RedisError::from(error));
        assert!(!format!("{error} {error:?}").contains("eyes"));
        assert!(error.source().is_none());
    }

    #[test]
    fn arguments_are_never_repeated() {
        let detail = "unknown command 'SPUBLISH', with args beginning with: 'for your eyes only'";
        let answer = make_extension_error("ERR".to_owned(), Some(detail.to_owned()));
        let error = BrokerError::from(answer);
        assert!(error.to_string().ends_with("unknown command 'SPUBLISH'"), "{error}");
        assert!(!format!("{error:?}").contains("eyes"));
        assert!(error.source().is_none());
    }

    #[test]
    fn a_failed_connection_is_kept_as_the_source() {
        let refused = RedisError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        let error = BrokerError::from(refused);
        assert!(error.is_broken());
        let source = error.source().and_then(|source| source.downcast_ref::<RedisError>()).unwrap();
        assert!(source.is_connection_refusal());
    }
}
