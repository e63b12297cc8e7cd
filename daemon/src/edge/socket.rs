//! One WebSocket: tungstenite over the upgraded connection, and the end of it.
//!
//! tungstenite alone cannot close a connection as RFC 6455 wants. The client must see the close code even if
//! the daemon has not read everything that it sent; and frames that belong to no complete message must be
//! counted. Both are done below tungstenite, on the bytes ([`frames`] and [`stream`]).

mod closing;
mod frames;
mod stream;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use self::stream::FrameStream;
pub(crate) use self::stream::TooManyFragments;
use crate::config::Limits;
use crate::hub::close_code::Close;

/// Read buffer of one connection, in bytes. The library's default of 128 KiB suits few connections that
/// receive much; ours are many and receive little.
const READ_BUFFER_BYTES: usize = 512;

/// Bytes gathered before they are written to the socket. The connection keeps the buffer that a burst has
/// needed, so it holds no more than a few frames.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// The server's end of a WebSocket.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<FrameStream<TokioIo<Upgraded>>>);

impl Socket {
    /// A WebSocket on a connection that has been upgraded.
    pub(crate) async fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let stream = FrameStream::new(TokioIo::new(upgraded), limits.messages);
        Self(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }

    /// The next message; `None` once the connection has ended. It may be dropped before it is ready, and
    /// nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Result<Message, Error>> {
        self.0.next().await
    }

    /// Queues a message for the next [`Socket::flush`], or writes it if much is queued.
    pub(crate) async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.0.feed(message).await
    }

    /// Writes everything that is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().await
    }

    /// Writes a message.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.0.send(message).await
    }

    /// Closes the connection: with this close frame, or with the answer to the client's. Takes ten seconds
    /// at most, and may be called after any error.
    pub(crate) async fn close(self, close: Option<Close>) {
        closing::close(self.0, close).await;
    }
}
