//! Why a session ends.

use std::io;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::edge::socket::TooManyFragments;
use crate::hub::close_code::Close;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The daemon closes the connection with a close frame.
    Close(Close),
    /// The client has sent a close frame, which is to be answered.
    ClosedByClient,
    /// The connection broke. No frame can be sent.
    Disconnected,
}

/// One step of a session: it goes on, or it ends.
pub(super) type Step = Result<(), End>;

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl End {
    /// The end that follows from an error of the socket, with the code that the client is told (RFC 6455
    /// section 7.4.1).
    pub(super) fn of_socket_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::Close(Close::TooBig),
            Error::Utf8(_) => Self::Close(Close::NotUtf8),
            // There is nobody to tell.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Disconnected,
            Error::Protocol(_) => Self::Close(Close::Protocol),
            Error::Io(error) if is_flood(error) => Self::Close(Close::Flooding),
            _ => Self::Disconnected,
        }
    }
}

fn is_flood(error: &io::Error) -> bool {
    error.get_ref().and_then(|error| error.downcast_ref::<TooManyFragments>()).is_some()
}
