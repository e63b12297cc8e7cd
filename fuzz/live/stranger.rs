//! One stranger: connects, speaks, listens for a moment, and goes without a word.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::scene::{STRANGER, token_of};
use crate::{frames, handshake};

/// How long a stranger listens to a daemon that says nothing.
const LISTENS: Duration = Duration::from_millis(200);

/// Bound on getting in, and on writing to a daemon that does not read.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// Plays one visit.
///
/// # Errors
///
/// What the daemon did that it must not, whatever it was sent.
pub(crate) async fn visit(port: u16, mut rng: Rng) -> anyhow::Result<()> {
    let token = token_of(STRANGER)?;
    let mut socket = timeout(IO_TIMEOUT, TcpStream::connect(("127.0.0.1", port)))
        .await
        .context("nobody takes the connection")?
        .context("the daemon does not listen")?;
    let mutated = rng.bool();
    let request =
        if mutated { handshake::mutated(&mut rng, &token) } else { handshake::honest(&mut rng, &token) };
    speak(&mut socket, &mut rng, &request).await;
    let mut heard = Vec::new();
    // The head ends with an empty line; a refusal has a body as well, which nobody needs.
    while !heard.windows(4).any(|end| end == b"\r\n\r\n") && listen(&mut socket, &mut heard).await {}
    let shown = || String::from_utf8_lossy(&heard[..heard.len().min(200)]).into_owned();
    ensure!(!heard.starts_with(b"HTTP/1.1 5"), "the daemon blames itself: {:?}", shown());
    if !heard.starts_with(b"HTTP/1.1 101") {
        ensure!(mutated, "an honest handshake is refused: {:?}", shown());
        return Ok(());
    }
    let has_token = request.windows(token.len()).any(|part| part == token.as_bytes());
    ensure!(has_token, "a stranger without a token was let in: {:?}", String::from_utf8_lossy(&request));

    let said = frames::nonsense(&mut rng);
    speak(&mut socket, &mut rng, &said).await;
    while listen(&mut socket, &mut heard).await {}
    let frames_begin = heard.windows(4).position(|end| end == b"\r\n\r\n").map_or(heard.len(), |at| at + 4);
    frames::are_sound(&heard[frames_begin..])
}

/// Writes in pieces of any size. A daemon that has closed reads none of it, as it may.
async fn speak(socket: &mut TcpStream, rng: &mut Rng, mut bytes: &[u8]) {
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
async fn listen(socket: &mut TcpStream, heard: &mut Vec<u8>) -> bool {
    matches!(timeout(LISTENS, socket.read_buf(heard)).await, Ok(Ok(count)) if count > 0)
}
