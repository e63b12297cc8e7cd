//! Why a conversation with Redis did not come to its end.

/// Why a conversation did not come to its end. The connection is not used again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The deadline has passed.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came over it is not RESP.
    #[error("{0}")]
    Broken(String),
    /// Redis does not have the script; nothing was done.
    #[error("script unknown")]
    NoScript,
    /// Redis answered with an error.
    #[error("{0}")]
    Answer(String),
}
