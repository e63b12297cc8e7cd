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

/// How long a client may send nothing before its close frame. While it sends, the frame may still come: a busy
/// client, or a proxy, can have much queued before it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long all may take, from the close frame to the end of the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

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
    while !stream.has_closed()
        && let Ok(true) = timeout(ANSWER_TIMEOUT, drain.discard(&mut stream)).await
    {}
    stream.shutdown().await?;
    while drain.discard(&mut stream).await {}
    Ok(())
}

/// What is received and dropped.
struct Drain {
    buffer: Vec<u8>,
    /// Bytes that may still be dropped.
    left: usize,
}

impl Drain {
    /// Drops some of what arrives. False at the end of the stream or at the bound.
    async fn discard<S: AsyncRead + Unpin>(&mut self, stream: &mut FrameStream<S>) -> bool {
        if self.left == 0 {
            return false;
        }
        match stream.discard(&mut self.buffer).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.left = self.left.saturating_sub(read);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream};
    use tokio::time::{Instant, sleep};
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    /// A client's text frame, and its close frame. The mask is zero.
    const TEXT: &[u8] = &[0x81, 0x81, 0, 0, 0, 0, b'x'];
    const CLOSE: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf0];

    /// Closes one end of a connection; returns the other one, from which the close frame has been read.
    async fn closing() -> DuplexStream {
        let (mut client, server) = tokio::io::duplex(1_024);
        let stream = FrameStream::new(server, 1_000);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        tokio::spawn(close(socket, Some(Close::Flooding)));
        let mut head = [0; 4];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!((head[0], u16::from_be_bytes([head[2], head[3]])), (0x88, 1008));
        client.read_exact(&mut vec![0; usize::from(head[1]) - 2]).await.unwrap();
        client
    }

    /// How long the daemon keeps its direction open from now on.
    async fn until_end(client: &mut DuplexStream) -> Duration {
        let start = Instant::now();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_still_sends_may_answer_late() {
        let mut client = closing().await;
        for _ in 0..4 {
            client.write_all(TEXT).await.unwrap();
            let open = timeout(Duration::from_secs(1), client.read(&mut [0])).await;
            assert!(open.is_err(), "the client has not answered yet");
        }
        client.write_all(CLOSE).await.unwrap();
        assert_eq!(until_end(&mut client).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_waited_for_briefly() {
        let mut client = closing().await;
        client.write_all(TEXT).await.unwrap();
        assert_eq!(until_end(&mut client).await, ANSWER_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_stops_sending_is_cut_off() {
        let mut client = closing().await;
        let (start, pause) = (Instant::now(), Duration::from_secs(1));
        while client.write_all(TEXT).await.is_ok() {
            sleep(pause).await;
        }
        let open = start.elapsed();
        assert!(CLOSE_TIMEOUT <= open && open <= CLOSE_TIMEOUT + pause, "{open:?}");
    }
}
