//! The closing handshake (RFC 6455 section 7).
//!
//! A socket that is closed while bytes of the client wait in it is reset, and a reset takes the close frame
//! from a client that has not read it yet. So what the client still sends is read and dropped, within bounds,
//! before the socket is closed (section 7.1.1).

use std::io;
use std::time::Duration;

use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::stream::FrameStream;
use crate::hub::close_code::Close;

/// How long the client's close frame may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long all may take, from the close frame to the end of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that are read and dropped meanwhile. A client that sends more is cut off.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that are dropped at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// Sends the close frame, or the answer to the client's if `close` is `None`, and ends the connection. If the
/// frame cannot be written, the TCP close is the signal.
pub(super) async fn close<S>(mut socket: WebSocketStream<FrameStream<S>>, close: Option<Close>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let closing = async {
        let sent = match close {
            Some(close) => socket.send(Message::Close(Some(close.frame()))).await,
            // The library has queued the answer.
            None => socket.flush().await,
        };
        match sent {
            Ok(()) => linger(socket.into_inner()).await,
            Err(_) => Ok(()),
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

/// Waits for the client's close frame, then closes this direction, then waits for the client to close the
/// other one.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: FrameStream<S>) -> io::Result<()> {
    let mut drain = Drain { buffer: vec![0; BUFFER_BYTES], left: DISCARDED_BYTES };
    // A proxy that sees the end of one direction may close the other at once. So the close frames come first.
    let _ = timeout(ANSWER_TIMEOUT, drain.discard(&mut stream, FrameStream::has_closed)).await;
    stream.shutdown().await?;
    drain.discard(&mut stream, |_| false).await;
    Ok(())
}

/// What is received and dropped.
struct Drain {
    buffer: Vec<u8>,
    /// Bytes that may still be dropped.
    left: usize,
}

impl Drain {
    /// Drops what arrives, until `done`, the end of the stream, or the bound.
    async fn discard<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut FrameStream<S>,
        done: impl Fn(&FrameStream<S>) -> bool,
    ) {
        while self.left > 0 && !done(stream) {
            match stream.discard(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => self.left = self.left.saturating_sub(read),
            }
        }
    }
}
