//! A push service over TLS that keeps a ledger: it verifies who sends (RFC 8292), and decrypts as the browser would
//! (RFC 8291).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatpush_stack::certificate::Certificate;
use chatpush_stack::folder::Folder;
use chatpush_tests::eventually::eventually;
use chatpush_tests::tls_server;
use p256::SecretKey;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use web_push_native::Auth;

/// The secret that the browsers share.
const AUTH: [u8; 16] = [7; 16];

/// What was sent to a browser.
#[derive(Clone, Debug)]
pub(super) struct Push {
    /// The path of the endpoint.
    pub(super) path: String,
    pub(super) headers: HashMap<String, String>,
    /// The bytes of the encrypted body.
    pub(super) bytes: usize,
    /// What the browser reads.
    pub(super) payload: Value,
    /// What the token of the sender says.
    pub(super) claims: Value,
}

/// The push service. All its browsers have one key.
#[derive(Clone, Debug)]
pub(super) struct PushService {
    port: u16,
    /// With the certificate.
    folder: Arc<Folder>,
    certificate: Certificate,
    browser: SecretKey,
    pushes: Arc<Mutex<Vec<Push>>>,
    /// The head of the answer by path; empty: none is given; `endless`: 400, with a body without an end.
    answers: Arc<Mutex<HashMap<String, String>>>,
    /// Whether answers are given now.
    answering: watch::Sender<bool>,
}

impl PushService {
    pub(super) async fn start() -> Self {
        let folder = Folder::new().expect("a folder can be made");
        let certificate = Certificate::make(folder.path(), "push").expect("openssl is there");
        Self::with_certificate(Arc::new(folder), certificate).await
    }

    /// Another one with the same certificate.
    pub(super) async fn beside(&self) -> Self {
        Self::with_certificate(self.folder.clone(), self.certificate.clone()).await
    }

    async fn with_certificate(folder: Arc<Folder>, certificate: Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let acceptor = tls_server::acceptor(&certificate);
        let browser = SecretKey::from_slice(&[9; 32]).expect("a key");
        let (pushes, answers, answering) = (Arc::default(), Arc::default(), watch::Sender::new(true));
        let service = Self { port, folder, certificate, browser, pushes, answers, answering };
        let serving = service.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, acceptor) = (serving.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serving.serve(stream).await;
                    }
                });
            }
        });
        service
    }

    /// Its host and port.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its root certificate.
    pub(super) fn ca(&self) -> String {
        self.folder.path().join("push.crt").display().to_string()
    }

    /// The endpoint of a browser.
    pub(super) fn endpoint(&self, browser: &str) -> String {
        format!("https://{}/{browser}", self.host())
    }

    /// The subscription of a browser, as its `toJSON()` gives it.
    pub(super) fn subscription(&self, browser: &str) -> Value {
        self.subscription_at(&self.endpoint(browser))
    }

    /// The same, with another endpoint.
    pub(super) fn subscription_at(&self, endpoint: &str) -> Value {
        let p256dh = URL_SAFE_NO_PAD.encode(self.browser.public_key().to_encoded_point(false).as_bytes());
        let keys = json!({ "p256dh": p256dh, "auth": URL_SAFE_NO_PAD.encode(AUTH) });
        json!({ "endpoint": endpoint, "expirationTime": null, "keys": keys })
    }

    /// Answers what is sent to a browser like this from now on.
    pub(super) fn answer(&self, browser: &str, answer: &str) {
        let mut answers = self.answers.lock().expect("it is locked");
        answers.insert(format!("/{browser}"), answer.to_owned());
    }

    /// Holds all answers back until [`PushService::release`].
    pub(super) fn hold(&self) {
        self.answering.send_replace(false);
    }

    pub(super) fn release(&self) {
        self.answering.send_replace(true);
    }

    pub(super) fn pushes(&self) -> Vec<Push> {
        self.pushes.lock().expect("it is locked").clone()
    }

    pub(super) async fn received(&self, count: usize) -> Vec<Push> {
        let what = format!("{count} pushes");
        eventually(&what, || async { self.pushes() }, |pushes| pushes.len() >= count).await
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
            let bytes = body.len();
            assert!(bytes <= 4_096, "{bytes} bytes");
            let claims = verified(&headers["authorization"]);
            let read = web_push_native::decrypt(body, &self.browser, &Auth::from(AUTH));
            let payload = serde_json::from_slice(&read.expect("it is for this browser")).expect("JSON");
            self.pushes.lock().expect("it is locked").push(Push {
                path: path.clone(),
                headers,
                bytes,
                payload,
                claims,
            });
            let mut answering = self.answering.subscribe();
            answering.wait_for(|answering| *answering).await.expect("the service is there");
            let answer = self.answers.lock().expect("it is locked").get(&path).cloned();
            let answer = answer.unwrap_or_else(|| "201 Created".to_owned());
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            if answer == "endless" {
                endless(stream).await;
                return;
            }
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            // Whoever has waited too long is not there any more.
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// Refuses a request with a body that goes on until nobody reads it.
async fn endless(mut stream: impl AsyncWrite + Unpin) {
    let head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("the answer is taken");
    while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
}

/// The claims of a token that the key beside it has signed. The key is `k` in them.
fn verified(authorization: &str) -> Value {
    let (token, key) = authorization
        .strip_prefix("vapid t=")
        .and_then(|rest| rest.split_once(", k="))
        .expect("the scheme of RFC 8292");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (header, claims) = signed.split_once('.').expect("three parts");
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let verifying = VerifyingKey::from_sec1_bytes(&bytes(key)).expect("a point");
    let signature = Signature::from_slice(&bytes(signature)).expect("a signature");
    verifying.verify(signed.as_bytes(), &signature).expect("the key has signed it");
    let header: Value = serde_json::from_slice(&bytes(header)).expect("JSON");
    assert_eq!(header, json!({ "typ": "JWT", "alg": "ES256" }));
    let mut claims: Value = serde_json::from_slice(&bytes(claims)).expect("JSON");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs();
    let left = claims["exp"].as_u64().expect("a time") - now;
    assert!((11 * 3_600..=12 * 3_600).contains(&left), "valid for {left} s");
    claims["k"] = json!(key);
    claims
}
