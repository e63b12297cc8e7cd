//! One stranger: connects, speaks, listens for a moment, and goes without a word.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{FUZZ_USER, token_of};
use crate::{frames, handshake};

/// How long a stranger listens to a daemon that says nothing.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Bound on getting in, and on writing to a daemon that does not read.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// Plays one visit.
///
/// # Errors
///
/// What the daemon did that it must not, whatever it was sent.
pub(crate) async fn run(port: u16, mut rng: Rng) -> anyhow::Result<()> {
    let token = token_of(FUZZ_USER)?;
    let mut socket = timeout(IO_TIMEOUT, TcpStream::connect(("127.0.0.1", port)))
        .await
        .context("nobody takes the connection")?
        .context("the daemon does not listen")?;
    let mutated = rng.bool();
    let request =
        if mutated { handshake::mutated(&mut rng, &token) } else { handshake::valid(&mut rng, &token) };
    write_pieces(&mut socket, &mut rng, &request).await;
    let mut received = Vec::new();
    // The head ends with an empty line; a refusal has a body as well, which nobody needs.
    while !received.windows(4).any(|end| end == b"\r\n\r\n") && read_more(&mut socket, &mut received).await {}
    let shown = || String::from_utf8_lossy(&received[..received.len().min(200)]).into_owned();
    ensure!(!received.starts_with(b"HTTP/1.1 5"), "the daemon blames itself: {:?}", shown());
    if !received.starts_with(b"HTTP/1.1 101") {
        ensure!(mutated, "an honest handshake is refused: {:?}", shown());
        return Ok(());
    }
    let has_token = request.windows(token.len()).any(|part| part == token.as_bytes());
    ensure!(has_token, "a stranger without a token was let in: {:?}", String::from_utf8_lossy(&request));

    let sent = frames::mutated(&mut rng);
    write_pieces(&mut socket, &mut rng, &sent).await;
    while read_more(&mut socket, &mut received).await {}
    let head_end = received.windows(4).position(|end| end == b"\r\n\r\n").map_or(received.len(), |at| at + 4);
    frames::check_server_frames(&received[head_end..])
}

/// Writes in pieces of any size. A daemon that has closed reads none of it, as it may.
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

/// Hears more; false at the end, or if nothing comes.
async fn read_more(socket: &mut TcpStream, received: &mut Vec<u8>) -> bool {
    matches!(timeout(READ_TIMEOUT, socket.read_buf(received)).await, Ok(Ok(count)) if count > 0)
}
