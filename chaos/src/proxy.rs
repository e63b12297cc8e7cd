//! A proxy between two parts that can be told to cut, freeze or slow down connections.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// What a proxy does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Forwards bytes.
    Forward,
    /// Closes open connections and refuses new ones.
    Cut,
    /// Keeps connections open and forwards nothing.
    Frozen,
    /// Waits before it forwards each piece.
    Slow(Duration),
}

/// A proxy from one Unix socket to another.
#[derive(Debug)]
pub(crate) struct Proxy {
    mode: watch::Sender<Mode>,
}

impl Proxy {
    /// Listens at `socket`, and connects to `upstream` for each connection.
    pub(crate) fn start(socket: &Path, upstream: PathBuf) -> anyhow::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let (mode, modes) = watch::channel(Mode::Forward);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *modes.borrow() != Mode::Cut {
                    tokio::spawn(serve(near, upstream.clone(), modes.clone()));
                }
            }
        });
        Ok(Self { mode })
    }

    /// Changes the mode, also for open connections.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn serve(near: UnixStream, upstream: PathBuf, mut modes: watch::Receiver<Mode>) {
    let Ok(far) = UnixStream::connect(upstream).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let cut = modes.clone();
    tokio::select! {
        () = copy(near_read, far_write, cut.clone()) => {}
        () = copy(far_read, near_write, cut) => {}
        _ = modes.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut modes: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if modes.wait_for(|mode| *mode != Mode::Frozen).await.is_err() {
            return;
        }
        let mode = *modes.borrow();
        if let Mode::Slow(pause) = mode {
            tokio::time::sleep(pause).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
