//! One WebSocket: tungstenite over the upgraded connection, and the end of it.
//!
//! tungstenite alone cannot close a connection as RFC 6455 wants. The client must see the close code even if
//! the daemon has not read everything that it sent; and frames that belong to no complete message must be
//! counted. Both are done below tungstenite, on the bytes ([`frames`] and [`stream`]). And it keeps the buffers that
//! its longest message has needed; an idle connection must not.

mod closing;
mod frames;
mod stream;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
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

/// Bytes gathered before they are written to the socket.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// What a connection has read or written at a time beyond this makes its buffers larger than it may keep.
const KEPT_BYTES: usize = 2 * READ_BUFFER_BYTES;

/// The server's end of a WebSocket, on an upgraded connection.
#[derive(Debug)]
pub(crate) struct Socket<S = TokioIo<Upgraded>> {
    /// Missing only while it is replaced, which waits for nothing.
    library: Option<WebSocketStream<FrameStream<S>>>,
    message_bytes: usize,
    /// Bytes since the last flush.
    fed: usize,
    has_large_buffers: bool,
}

impl Socket {
    /// A WebSocket on a connection that has been upgraded.
    pub(crate) async fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        Self::over(TokioIo::new(upgraded), limits.messages, limits.message_bytes).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// At most so many fragments in ten seconds, and bytes in a message.
    async fn over(stream: S, fragments: u32, message_bytes: usize) -> Self {
        let mut socket = Self { library: None, message_bytes, fed: 0, has_large_buffers: false };
        socket.open(FrameStream::new(stream, fragments)).await;
        socket
    }

    /// The next message; `None` once the connection has ended. It may be dropped before it is ready, and
    /// nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Result<Message, Error>> {
        if self.has_large_buffers {
            // What the library has read is taken out of its buffer first.
            match self.library.as_mut()?.next().now_or_never() {
                Some(message) => return message,
                None => self.release_buffers().await,
            }
        }
        let message = self.library.as_mut()?.next().await;
        if let Some(Ok(message)) = &message {
            self.has_large_buffers |= message.len() > KEPT_BYTES;
        }
        message
    }

    /// Queues a message for the next [`Socket::flush`], or writes it if much is queued.
    pub(crate) async fn feed(&mut self, message: Message) -> Result<(), Error> {
        self.fed += message.len();
        self.has_large_buffers |= self.fed > KEPT_BYTES;
        self.library()?.feed(message).await
    }

    /// Writes everything that is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.fed = 0;
        self.library()?.flush().await
    }

    /// Writes a message.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    fn library(&mut self) -> Result<&mut WebSocketStream<FrameStream<S>>, Error> {
        self.library.as_mut().ok_or(Error::AlreadyClosed)
    }

    async fn open(&mut self, stream: FrameStream<S>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(self.message_bytes))
            .max_frame_size(Some(self.message_bytes));
        self.library = Some(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await);
    }

    /// Gives large buffers back if nothing is in them. The library never shrinks one, so it is replaced. It must
    /// have read all that had arrived.
    async fn release_buffers(&mut self) {
        let Some(library) = &mut self.library else { return };
        // Also an answer to a ping that the library has queued by itself.
        let has_written_all = matches!(library.flush().now_or_never(), Some(Ok(())));
        if has_written_all
            && library.get_ref().is_between_messages()
            && let Some(library) = self.library.take()
        {
            self.open(library.into_inner()).await;
            self.has_large_buffers = false;
        }
    }

    /// Closes the connection: with this close frame, or with the answer to the client's. Takes ten seconds
    /// at most, and may be called after any error.
    pub(crate) async fn close(self, close: Option<Close>) {
        if let Some(library) = self.library {
            closing::close(library, close).await;
        }
    }
}

#[cfg(test)]
mod tests;
