//! An application that accepts every webhook at once, and counts them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// The running server. Its threads end with the process.
#[derive(Debug)]
pub struct WebhookReceiver {
    port: u16,
    received: Arc<AtomicU64>,
}

impl WebhookReceiver {
    /// Starts it on a free port.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let received = Arc::new(AtomicU64::new(0));
        let counter = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = counter.clone();
                // A daemon that ends closes its connections.
                thread::spawn(move || serve(stream, &counter));
            }
        });
        Ok(Self { port, received })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// How many webhooks have come.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Serves the requests of one connection.
fn serve(stream: TcpStream, counter: &AtomicU64) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line == "\r\n" {
            stream.read_exact(&mut vec![0; std::mem::take(&mut length)])?;
            counter.fetch_add(1, Ordering::Relaxed);
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        }
    }
}
