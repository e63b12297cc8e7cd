//! An HTTP server that receives webhooks, checks their signatures and enters them in the ledger.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::ledger::Ledger;

/// The key of the daemons.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How late an answer is that comes too late.
const TOO_LATE: Duration = Duration::from_millis(800);

/// How long a body may be.
const BODY_BYTES: usize = 64 * 1024;

/// The running server.
#[derive(Debug)]
pub(super) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    ledger: Arc<Ledger>,
    rng: Mutex<Rng>,
    holds: AtomicBool,
    loses: AtomicBool,
    held: AtomicUsize,
    accepts_all: AtomicBool,
}

/// What becomes of a request.
enum Answer {
    Accepted,
    Refused,
    TooLate,
    None,
}

impl Receiver {
    pub(super) async fn start(seed: u64, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            ledger,
            rng: Mutex::new(Rng::with_seed(seed)),
            holds: AtomicBool::new(false),
            loses: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            accepts_all: AtomicBool::new(false),
        });
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self { port, shared, serving })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.shared.ledger.clone()
    }

    /// Whether requests that come from now on wait, and are lost then.
    pub(super) fn hold(&self, is_lost: Option<bool>) {
        self.shared.held.store(0, Ordering::SeqCst);
        self.shared.loses.store(is_lost == Some(true), Ordering::SeqCst);
        self.shared.holds.store(is_lost.is_some(), Ordering::SeqCst);
    }

    /// Whether one waits.
    pub(super) fn is_held(&self) -> bool {
        self.shared.held.load(Ordering::SeqCst) > 0
    }

    pub(super) fn accept_all(&self) {
        self.shared.accepts_all.store(true, Ordering::SeqCst);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// Waits while requests are held.
    async fn wait(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        while self.holds.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Two of three are accepted, and each at the third try at the latest: the pauses between them grow.
    fn draw(&self, id: &str, tries: u32) -> Answer {
        if self.accepts_all.load(Ordering::SeqCst) {
            return Answer::Accepted;
        }
        if self.ledger.lock().is_refused(id) {
            return Answer::Refused;
        }
        if tries > 2 {
            return Answer::Accepted;
        }
        match self.rng.lock().unwrap_or_else(PoisonError::into_inner).u8(..12) {
            0..8 => Answer::Accepted,
            8..10 => Answer::Refused,
            10 => Answer::TooLate,
            _ => Answer::None,
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            // The daemon is killed in the middle of requests.
            let _ = requests(stream, &shared).await;
        });
    }
}

/// Serves the requests of one connection.
async fn requests(mut stream: TcpStream, shared: &Shared) -> anyhow::Result<()> {
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await?);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head))?;
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let headers: HashMap<_, _> =
            lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let header = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
        let length: usize = header("content-length").parse()?;
        anyhow::ensure!(length <= BODY_BYTES, "a body of {length} bytes");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let is_signed = verify(id, timestamp, &body, header("webhook-signature"));
        let (holds, loses) = (shared.holds.load(Ordering::SeqCst), shared.loses.load(Ordering::SeqCst));
        if holds && loses {
            shared.wait().await;
            return Ok(());
        }
        let tries = shared.ledger.lock().received(id, &body, is_signed);
        if holds {
            shared.wait().await;
        }
        let status = match shared.draw(id, tries) {
            Answer::Accepted => {
                shared.ledger.lock().accepted(id);
                "204 No Content"
            }
            Answer::Refused => "500 Internal Server Error",
            Answer::TooLate => {
                sleep(TOO_LATE).await;
                "204 No Content"
            }
            Answer::None => return Ok(()),
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Whether one of the signatures is right (Standard Webhooks, "Verifying signatures").
fn verify(id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
    let key = SECRET.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok()).unwrap_or_default();
    signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")).any(|signature| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        STANDARD.decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
    })
}
