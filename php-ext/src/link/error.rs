//! Why an exchange with Redis failed.

use std::io;

use super::tls_error::TlsError;

/// Why an exchange failed. The connection is not used again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The deadline has passed.
    #[error("no answer in time")]
    Timeout,
    /// The operating system reports an error on the socket.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// TLS could not be negotiated.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The other side closed the connection.
    #[error("it was closed")]
    Closed,
    /// The resolver knows the host, but no address of it.
    #[error("{0} has no address")]
    NoAddress(String),
    /// The bytes are not RESP: something other than Redis answers.
    #[error("the answer is not RESP")]
    NotResp,
    /// The answer exceeds every bound.
    #[error("the answer is too long")]
    TooLong,
    /// The answer is of another type than the command has.
    #[error("Redis answered with {0}")]
    UnexpectedType(&'static str),
    /// A part of the answer is missing.
    #[error("the answer is too short")]
    TooShort,
    /// The answer is not one of this version.
    #[error("the answer is of another version")]
    OtherVersion(#[source] Option<serde_json::Error>),
    /// Redis does not have the script. Nothing was executed.
    #[error("Redis does not have the script")]
    NoScript,
    /// Redis answered with an error.
    #[error("{0}")]
    Redis(String),
    /// Redis executed the script, but refused the subscription to its answer.
    #[error("{0}")]
    Subscription(String),
}

/// The error of a system call that has a timeout of its own.
pub(super) fn of_timed(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => LinkError::Timeout,
        _ => LinkError::Io(error),
    }
}
