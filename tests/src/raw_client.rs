//! A WebSocket client that sends whatever bytes it is told to. A client of a library sends no invalid frames.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::eventually::TEST_TIMEOUT;

/// Opcodes (RFC 6455 section 5.2).
pub const CONTINUATION: u8 = 0;
/// A text.
pub const TEXT: u8 = 1;
/// The close frame.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// A pong.
pub const PONG: u8 = 10;
/// The first bit of a frame: it ends its message.
pub const FIN: u8 = 0x80;

/// One connection.
#[derive(Debug)]
pub struct RawClient(TcpStream);

/// A frame from the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// Its opcode.
    pub opcode: u8,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// How the daemon ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawEnd {
    /// A close frame with this code or without one, and then the end of the stream.
    Closed(Option<u16>),
    /// The end of the stream without a close frame.
    Dropped,
    /// A reset, which may take a close frame from a client that has not read it.
    Reset,
}

impl RawClient {
    /// Connects with a token.
    pub async fn connect(port: u16, token: &str) -> Self {
        let (mut client, head) = Self::request(port, handshake(&format!("/ws?token={token}"), "")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        // The unread counter ends the replay.
        assert_eq!(client.frame().await.expect("a frame").opcode, TEXT);
        client
    }

    /// Sends a request. Returns the connection behind the head of the response, and that head.
    pub async fn request(port: u16, request: impl AsRef<[u8]>) -> (Self, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
        stream.write_all(request.as_ref()).await.expect("it takes the request");
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("it answers"));
            }
        };
        timeout(TEST_TIMEOUT, reading).await.expect("it answers");
        (Self(stream), String::from_utf8_lossy(&head).into_owned())
    }

    /// The rest of the stream, as the body of a response.
    pub async fn body(mut self) -> String {
        let mut body = String::new();
        timeout(TEST_TIMEOUT, self.0.read_to_string(&mut body)).await.expect("an end").expect("UTF-8");
        body
    }

    /// Sends a masked frame. `first` is its first byte: the opcode, with [`FIN`] if it ends the message.
    pub async fn send(&mut self, first: u8, payload: &[u8]) {
        self.send_bytes(&masked(first, payload)).await;
    }

    /// Sends bytes. False if the connection ended meanwhile.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        timeout(TEST_TIMEOUT, self.0.write_all(bytes)).await.expect("the daemon reads").is_ok()
    }

    /// The next frame; or how the connection ended before it.
    pub async fn frame(&mut self) -> Result<RawFrame, RawEnd> {
        let reading = async {
            let [first, length] = self.bytes().await?;
            let length = match length {
                126 => u64::from(u16::from_be_bytes(self.bytes().await?)),
                127 => u64::from_be_bytes(self.bytes().await?),
                length => length.into(),
            };
            let mut payload = vec![0; usize::try_from(length).expect("it fits")];
            self.0.read_exact(&mut payload).await.map_err(end_of)?;
            Ok(RawFrame { opcode: first & 0x0f, payload })
        };
        timeout(TEST_TIMEOUT, reading).await.expect("a frame or the end")
    }

    /// Reads to the end, and answers the close frame.
    pub async fn end(mut self) -> RawEnd {
        match self.close_frame().await {
            Ok(payload) => {
                self.send(FIN | CLOSE, &payload).await;
                self.end_behind(&payload).await
            }
            Err(end) => end,
        }
    }

    /// Reads to the end without answering anything.
    pub async fn end_without_answer(mut self) -> RawEnd {
        match self.close_frame().await {
            Ok(payload) => self.end_behind(&payload).await,
            Err(end) => end,
        }
    }

    /// The payload of the close frame; or how the connection ended without one.
    async fn close_frame(&mut self) -> Result<Vec<u8>, RawEnd> {
        loop {
            let RawFrame { opcode, payload } = self.frame().await?;
            if opcode == CLOSE {
                return Ok(payload);
            }
        }
    }

    async fn end_behind(&mut self, close: &[u8]) -> RawEnd {
        let closed = RawEnd::Closed(close.first_chunk().map(|code| u16::from_be_bytes(*code)));
        match self.frame().await {
            Ok(frame) => panic!("a frame behind the close frame: {frame:?}"),
            Err(RawEnd::Dropped) => closed,
            Err(end) => end,
        }
    }

    async fn bytes<const N: usize>(&mut self) -> Result<[u8; N], RawEnd> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).await.map_err(end_of)?;
        Ok(bytes)
    }
}

/// The request of an opening handshake for a path, with further header lines.
pub fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A masked frame. `first` is its first byte.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length).expect("it is small")),
        length => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn end_of(error: std::io::Error) -> RawEnd {
    match error.kind() {
        ErrorKind::UnexpectedEof => RawEnd::Dropped,
        _ => RawEnd::Reset,
    }
}
