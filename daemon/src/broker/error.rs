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
    consequence: Consequence,
    #[source]
    source: Option<RedisError>,
}

/// What an error means for the connection that it came on, and for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Consequence {
    /// Redis takes no writes for now: it is at `maxmemory`, has too few replicas, or cannot write its file.
    /// The command was not executed, and those that only read or publish still are.
    WritesRefused,
    /// None: Redis answered with another error.
    Answered,
    /// The connection must not be used again.
    Broken,
    /// Nor must those that were opened before: they lead to the same place, which is gone, or is not the
    /// master any more.
    Misled,
}

impl BrokerError {
    /// A connection that was found broken.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), consequence: Consequence::Broken, source: None }
    }

    /// Whether the connection must not be used again.
    pub(crate) fn is_broken(&self) -> bool {
        self.consequence >= Consequence::Broken
    }

    /// Whether no connection that is as old must be used again.
    pub(crate) fn concerns_all(&self) -> bool {
        self.consequence == Consequence::Misled
    }

    /// Whether Redis takes no writes for now, and has not executed this one.
    pub(crate) fn is_refusal(&self) -> bool {
        self.consequence == Consequence::WritesRefused
    }
}

impl From<RedisError> for BrokerError {
    fn from(error: RedisError) -> Self {
        let text = match error.kind() {
            // The library prints the value that it could not convert.
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => "Redis answered unexpectedly".into(),
            _ => without_arguments(error.to_string()).into(),
        };
        let consequence = consequence(&error);
        Self { text, consequence, source: error.is_io_error().then_some(error) }
    }
}

fn consequence(error: &RedisError) -> Consequence {
    // After one timeout no idle connection is trusted either.
    if error.is_timeout() {
        return Consequence::Misled;
    }
    if error.is_io_error() || error.is_unrecoverable_error() {
        return Consequence::Broken;
    }
    // A pipeline may have several errors. The most serious one counts.
    let answers = error.clone().into_server_errors();
    let answers = answers.iter().flat_map(|errors| errors.iter());
    answers.map(|(_, error)| consequence_of_code(error.code())).max().unwrap_or(Consequence::Answered)
}

/// The consequence of an error answer, by its first word (Redis source, `createSharedObjects`).
fn consequence_of_code(code: &str) -> Consequence {
    match code {
        "OOM" | "NOREPLICAS" | "MISCONF" => Consequence::WritesRefused,
        // The server is a replica, has just become one (which ends blocking commands), or has restarted: the
        // master may be another server now.
        "READONLY" | "UNBLOCKED" | "MASTERDOWN" | "LOADING" => Consequence::Misled,
        // A new connection authenticates again.
        "NOAUTH" => Consequence::Broken,
        _ => Consequence::Answered,
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

    use redis::{FromRedisValue as _, Value, make_extension_error, parse_redis_value};

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

    fn answered(line: &str) -> BrokerError {
        let answer = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        BrokerError::from(answer.extract_error().unwrap_err())
    }

    #[test]
    fn errors_of_a_server_that_is_not_the_master_concern_all_connections() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory",
        ] {
            let error = answered(line);
            assert!(error.is_broken() && error.concerns_all() && !error.is_refusal(), "{line}");
        }
        let timeout = BrokerError::from(RedisError::from(io::Error::from(io::ErrorKind::TimedOut)));
        assert!(timeout.is_broken() && timeout.concerns_all());
        let unreachable =
            BrokerError::from(RedisError::from(io::Error::from(io::ErrorKind::HostUnreachable)));
        assert!(unreachable.is_broken());
    }

    #[test]
    fn refused_writes_leave_the_connection_as_it_is() {
        for line in [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Errors writing to the AOF file: No space left on device",
        ] {
            let error = answered(line);
            assert!(error.is_refusal() && !error.is_broken(), "{line}");
        }
        for line in ["BUSY Redis is busy running a script.", "NOPERM no permission", "ERR what"] {
            let error = answered(line);
            assert!(!error.is_refusal() && !error.is_broken(), "{line}");
        }
        assert!(answered("NOAUTH Authentication required.").is_broken());
    }
}
