//! One mutated client: connects, sends a handshake and frames, checks the answer, and disconnects.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{FUZZ_USER, token_of};
use crate::{frames, handshake};

/// How long a client waits for bytes from the daemon.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Limit for connecting, and for each write.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs one client.
///
/// # Errors
///
/// If the daemon did something that it must not do for any input.
pub(crate) async fn run(port: u16, mut rng: Rng) -> anyhow::Result<()> {
    let token = token_of(FUZZ_USER)?;
    let mut socket = timeout(IO_TIMEOUT, TcpStream::connect(("127.0.0.1", port)))
        .await
        .context("the connection is not accepted")?
        .context("the daemon does not listen")?;
    let mutated = rng.bool();
    let request =
        if mutated { handshake::mutated(&mut rng, &token) } else { handshake::valid(&mut rng, &token) };
    write_pieces(&mut socket, &mut rng, &request).await;
    let mut received = Vec::new();
    // Reads to the empty line that ends the head. The body of an error is not needed.
    while !received.windows(4).any(|end| end == b"\r\n\r\n") && read_more(&mut socket, &mut received).await {}
    let shown = || String::from_utf8_lossy(&received[..received.len().min(200)]).into_owned();
    ensure!(!received.starts_with(b"HTTP/1.1 5"), "the daemon reports an error of its own: {:?}", shown());
    if !received.starts_with(b"HTTP/1.1 101") {
        ensure!(mutated, "a valid handshake is refused: {:?}", shown());
        return Ok(());
    }
    let has_token = request.windows(token.len()).any(|part| part == token.as_bytes());
    ensure!(has_token, "a handshake without a token was accepted: {:?}", String::from_utf8_lossy(&request));

    let sent = frames::mutated(&mut rng);
    write_pieces(&mut socket, &mut rng, &sent).await;
    while read_more(&mut socket, &mut received).await {}
    let head_end = received.windows(4).position(|end| end == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
    frames::check_server_frames(&received[head_end..])
}

/// Writes in pieces of random size. Errors are ignored: the daemon may have closed the connection.
async fn write_pieces(socket: &mut TcpStream, rng: &mut Rng, mut bytes: &[u8]) {
    let _ = timeout(IO_TIMEOUT, async {
        while !bytes.is_empty() {
            let whole = rng.u8(..3) > 0;
            let (piece, rest) = bytes.split_at(if whole { bytes.len() } else { rng.usize(1..=bytes.len()) });
            socket.write_all(piece).await?;
            bytes = rest;
        }
        socket.flush().await
    })
    .await;
}

/// Reads more bytes. Returns false at the end, or if none arrive in time.
async fn read_more(socket: &mut TcpStream, received: &mut Vec<u8>) -> bool {
    matches!(timeout(READ_TIMEOUT, socket.read_buf(received)).await, Ok(Ok(count)) if count > 0)
}
