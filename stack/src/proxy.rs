//! A proxy between two parts. It can cut, freeze, slow down or silence their connections, and lead new ones
//! to another server, as a load balancer does after a failover.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// What a proxy does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards bytes.
    Forward,
    /// Closes open connections and refuses new ones.
    Cut,
    /// Keeps connections open and forwards nothing.
    Frozen,
    /// Waits before it forwards each piece.
    Slow(Duration),
}

/// Bytes by which a connection is recognised.
type Pattern = Option<Arc<[u8]>>;

/// A proxy from one Unix socket to another. It serves as long as the runtime it was started on.
#[derive(Debug)]
pub struct Proxy {
    mode: watch::Sender<Mode>,
    upstream: watch::Sender<PathBuf>,
    /// How often connections were silenced. Each connection compares it with the number when it began.
    silences: watch::Sender<u64>,
    silent_pattern: watch::Sender<Pattern>,
}

impl Proxy {
    /// Listens at `socket`, and connects to `upstream` for each connection.
    ///
    /// # Errors
    ///
    /// When it cannot listen there.
    pub fn start(socket: &Path, upstream: PathBuf) -> anyhow::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let proxy = Self {
            mode: watch::Sender::new(Mode::Forward),
            upstream: watch::Sender::new(upstream),
            silences: watch::Sender::new(0),
            silent_pattern: watch::Sender::new(None),
        };
        let (modes, upstream) = (proxy.mode.subscribe(), proxy.upstream.subscribe());
        let (silences, pattern) = (proxy.silences.subscribe(), proxy.silent_pattern.subscribe());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *modes.borrow() != Mode::Cut {
                    let silence = Silence::new(silences.clone(), pattern.clone());
                    let upstream = upstream.borrow().clone();
                    tokio::spawn(serve(near, upstream, modes.clone(), silence));
                }
            }
        });
        Ok(proxy)
    }

    /// Changes the mode, also for open connections.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Leads new connections to another server. Open ones stay where they are.
    pub fn lead_to(&self, upstream: PathBuf) {
        self.upstream.send_replace(upstream);
    }

    /// Never forwards anything again on the connections that are open now, and does not close them, as if the
    /// path between the two ends were gone. New connections are forwarded. Those that were silenced before
    /// are closed at last.
    pub fn silence(&self) {
        self.silences.send_modify(|silences| *silences += 1);
    }

    /// Silences, from now on, each connection whose client sends these bytes, instead of forwarding them. New
    /// connections that send them are silenced too, until [`Proxy::silence_nobody`].
    pub fn silence_senders_of(&self, bytes: &[u8]) {
        self.silent_pattern.send_replace(Some(bytes.into()));
    }

    /// Silences no further connection.
    pub fn silence_nobody(&self) {
        self.silent_pattern.send_replace(None);
    }
}

/// Whether one connection is silent.
#[derive(Clone, Debug)]
struct Silence {
    born: u64,
    silences: watch::Receiver<u64>,
    pattern: watch::Receiver<Pattern>,
    /// Shared by the two directions.
    matched: Arc<watch::Sender<bool>>,
}

impl Silence {
    fn new(silences: watch::Receiver<u64>, pattern: watch::Receiver<Pattern>) -> Self {
        let born = *silences.borrow();
        Self { born, silences, pattern, matched: Arc::new(watch::Sender::new(false)) }
    }

    /// Whether nothing is forwarded any more. `sent` is what the client has just sent.
    fn is_silent(&self, sent: &[u8]) -> bool {
        let found = |pattern: &Arc<[u8]>| sent.windows(pattern.len().max(1)).any(|part| part == &**pattern);
        if self.pattern.borrow().as_ref().is_some_and(found) {
            self.matched.send_replace(true);
        }
        *self.matched.borrow() || *self.silences.borrow() > self.born
    }

    /// Returns when a connection that was silenced is to be closed.
    async fn ended(mut self) {
        let end = self.born + 1;
        if self.silences.wait_for(|silences| *silences > end).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn serve(near: UnixStream, upstream: PathBuf, mut modes: watch::Receiver<Mode>, silence: Silence) {
    let Ok(far) = UnixStream::connect(upstream).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = copy(near_read, far_write, modes.clone(), silence.clone(), true) => {}
        () = copy(far_read, near_write, modes.clone(), silence.clone(), false) => {}
        _ = modes.wait_for(|mode| *mode == Mode::Cut) => {}
        () = silence.ended() => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    silence: Silence,
    is_client: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        let length = *read.as_ref().unwrap_or(&0);
        if silence.is_silent(if is_client { &buffer[..length] } else { &[] }) {
            // Not even the end of one side reaches the other.
            return std::future::pending::<()>().await;
        }
        if length == 0 || modes.wait_for(|mode| *mode != Mode::Frozen).await.is_err() {
            return;
        }
        let mode = *modes.borrow();
        if let Mode::Slow(pause) = mode {
            tokio::time::sleep(pause).await;
        }
        // A connection that was silenced meanwhile forwards nothing either.
        if silence.is_silent(&[]) {
            return std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
