//! Why a session ends.

use tokio_tungstenite::tungstenite::Error as WebSocketError;

use crate::hub::close_code::Close;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The daemon closes the connection with a close frame.
    Close(Close),
    /// The client has closed the connection, or it broke. No frame can be sent.
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
    /// The end that follows from an error of the socket. A message beyond the size limit is answered by a
    /// close code; after any other error nothing can be sent.
    pub(super) fn of_socket_error(error: axum::Error) -> Self {
        match error.into_inner().downcast_ref::<WebSocketError>() {
            Some(WebSocketError::Capacity(_)) => Self::Close(Close::TooBig),
            _ => Self::Disconnected,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::error::CapacityError;

    use super::*;

    #[test]
    fn only_an_oversized_message_has_a_close_code() {
        let too_long = CapacityError::MessageTooLong { size: 2, max_size: 1 };
        let error = axum::Error::new(WebSocketError::Capacity(too_long));
        assert_eq!(End::of_socket_error(error), End::Close(Close::TooBig));
        let error = axum::Error::new(WebSocketError::ConnectionClosed);
        assert_eq!(End::of_socket_error(error), End::Disconnected);
    }
}
