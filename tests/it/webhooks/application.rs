//! An application that receives webhooks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chatpush_stack::certificate::Certificate;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_tests::tls_server;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// A request that was received: its path, its headers and its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn user(&self) -> u64 {
        self.json()["data"]["user_id"].as_u64().expect("a number")
    }

    /// Whether a key has signed it, by code of PHP alone.
    pub(crate) async fn is_signed(&self, env: &TestEnv, secret: &str) -> bool {
        let (id, timestamp) = (&self.headers["webhook-id"], &self.headers["webhook-timestamp"]);
        let sign = format!(
            "echo 'v1,', base64_encode(hash_hmac('sha256', '{id}.{timestamp}.' . $argv[1], \
             base64_decode(substr('{secret}', 6)), true));"
        );
        let output = env.php().program(["-r", &sign, "--", &self.body]).output().await.expect("php starts");
        let signature = String::from_utf8(output.stdout).expect("text");
        self.headers["webhook-signature"].split(' ').any(|given| given == signature)
    }
}

/// An application that answers every request as it is told, and keeps them.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    /// The head of the answer; empty: none is given.
    answer: Arc<Mutex<String>>,
    /// The type of webhooks that wait for their answer.
    held: watch::Sender<Option<&'static str>>,
    /// How long each answer takes.
    delay: Duration,
}

impl Application {
    pub(crate) async fn start(answer: &str) -> Self {
        Self::start_with(answer, None, Duration::ZERO).await
    }

    /// Starts one that accepts everything, and takes so long for each answer.
    pub(crate) async fn start_slow(delay: Duration) -> Self {
        Self::start_with("204 No Content", None, delay).await
    }

    /// Starts one that is reached by https.
    pub(crate) async fn start_tls(answer: &str, certificate: &Certificate) -> Self {
        Self::start_with(answer, Some(tls_server::acceptor(certificate)), Duration::ZERO).await
    }

    async fn start_with(answer: &str, tls: Option<TlsAcceptor>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let held = watch::Sender::new(None);
        let application = Self { port, requests: Arc::default(), answer, held, delay };
        let serving = application.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serving.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serving.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        application
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut received = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            received.push(byte);
            if !received.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = String::from_utf8(std::mem::take(&mut received)).expect("text");
            let path = head.split(' ').nth(1).expect("a path").to_owned();
            let headers: HashMap<_, _> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let mut body = vec![0; headers["content-length"].parse().expect("a length")];
            stream.read_exact(&mut body).await.expect("the body comes");
            let body = String::from_utf8(body).expect("text");
            let request = Request { path, headers, body };
            let event = request.json()["type"].as_str().expect("a text").to_owned();
            self.requests.lock().expect("it is locked").push(request);
            let mut holds = self.held.subscribe();
            holds.wait_for(|held| held.is_none_or(|held| held != event)).await.expect("it is there");
            sleep(self.delay).await;
            let answer = self.answer.lock().expect("it is locked").clone();
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                // The daemon was killed meanwhile.
                return;
            }
        }
    }

    pub(crate) fn answer(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().expect("it is locked"));
    }

    /// Lets webhooks of this type wait for their answer, from now on, and no others.
    pub(crate) fn hold(&self, event: Option<&'static str>) {
        self.held.send_replace(event);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("it is locked").clone()
    }

    pub(crate) async fn received(&self, count: usize) -> Vec<Request> {
        let what = format!("{count} requests");
        eventually(&what, || async { self.requests() }, |requests| requests.len() >= count).await
    }
}
