//! A WebSocket client. It answers pings while it reads, as every WebSocket library does.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async, connect_async_tls_with_config,
};

use crate::eventually::TEST_TIMEOUT;

/// One connection.
#[derive(Debug)]
pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a client reads from a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A text frame.
    Text(String),
    /// The end of the connection, with the code of the close frame, if there was one.
    Closed(Option<u16>),
}

/// A rejected handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedHandshake {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub reason: String,
}

impl Client {
    /// Connects with a token.
    pub async fn connect(port: u16, token: &str, protocol: Option<&str>) -> Result<Self, RejectedHandshake> {
        let protocol = protocol.map(|protocol| ("Sec-WebSocket-Protocol", protocol));
        Self::open(port, &format!("/ws?token={token}"), protocol.as_slice()).await
    }

    /// Connects to a path, with these headers.
    pub async fn open(
        port: u16,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, RejectedHandshake> {
        let url = format!("ws://127.0.0.1:{port}{path}");
        let mut request = url.into_client_request().expect("the URL is valid");
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a header value");
            request.headers_mut().insert(*name, value);
        }
        match timeout(TEST_TIMEOUT, connect_async(request)).await.expect("the handshake is answered") {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let reason = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err(RejectedHandshake {
                    status: response.status().as_u16(),
                    reason: reason.trim().to_owned(),
                })
            }
            Err(other) => panic!("the daemon cannot be reached: {other}"),
        }
    }

    /// Connects over TLS and trusts the certificate `root`, in PEM.
    pub async fn connect_tls(port: u16, token: &str, root: Vec<u8>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(&root).expect("a certificate in PEM");
        roots.add(root).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let request = format!("wss://127.0.0.1:{port}/ws?token={token}");
        let connector = Some(Connector::Rustls(Arc::new(config)));
        let connecting = connect_async_tls_with_config(request, None, false, connector);
        let (socket, _) = timeout(TEST_TIMEOUT, connecting).await.expect("the handshake is answered")?;
        Ok(Self(socket))
    }

    /// Returns the next text frame.
    pub async fn text(&mut self) -> String {
        // The pings in between do not count as progress.
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return text.to_string(),
                    Some(Ok(_)) => {}
                    other => panic!("no frame: {other:?}"),
                }
            }
        };
        timeout(TEST_TIMEOUT, next).await.expect("a text frame comes")
    }

    /// Returns the next text frame as JSON.
    pub async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// Reads up to this frame, and returns those before it.
    pub async fn until(&mut self, last: &str) -> Vec<String> {
        let mut frames = Vec::new();
        loop {
            match self.text().await {
                frame if frame == last => return frames,
                frame => frames.push(frame),
            }
        }
    }

    /// Reads up to the next unread counter. Returns the contents before it, and the counter.
    pub async fn until_unread_count(&mut self) -> (Vec<String>, u64) {
        let mut contents = Vec::new();
        loop {
            let frame = self.json().await;
            if frame["type"] == "unread_count" {
                return (contents, frame["data"].as_u64().expect("a number"));
            }
            contents.push(frame["data"].as_str().expect("a content").to_owned());
        }
    }

    /// Returns the text frames that arrive until none does for `time`. Tests use it to assert that there is
    /// none.
    pub async fn frames_within(&mut self, time: Duration) -> Vec<String> {
        let mut texts = Vec::new();
        while let Ok(Some(Ok(message))) = timeout(time, self.0.next()).await {
            if let Message::Text(text) = message {
                texts.push(text.to_string());
            }
        }
        texts
    }

    /// Sends a text frame.
    pub async fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("the frame is sent");
    }

    /// Sends any frame.
    pub async fn send(&mut self, message: Message) {
        // The daemon may close the connection while a large frame is being sent.
        let _ = self.0.send(message).await;
    }

    /// Connects. Returns `None` if the daemon is down or rejects the handshake.
    pub async fn try_connect(port: u16, token: &str) -> Option<Self> {
        let url = format!("ws://127.0.0.1:{port}/ws?token={token}");
        let (socket, _) =
            timeout(TEST_TIMEOUT, connect_async(url)).await.expect("the handshake is answered").ok()?;
        Some(Self(socket))
    }

    /// Returns the next text frame, or the end of the connection.
    pub async fn event(&mut self) -> Event {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Event::Text(text.to_string()),
                    Some(Ok(Message::Close(frame))) => {
                        return Event::Closed(frame.map(|frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Event::Closed(None),
                }
            }
        };
        timeout(TEST_TIMEOUT, next).await.expect("a frame or the end")
    }

    /// Reads, and so answers pings, until the daemon closes the connection. Returns the close code.
    pub async fn close_code(mut self) -> Option<u16> {
        let end = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        timeout(TEST_TIMEOUT, end).await.expect("the daemon closes the connection")
    }

    /// Reads in the background, and so answers pings, until the end of the connection. Returns the text
    /// frames.
    pub fn keep_reading(self) -> tokio::task::JoinHandle<Vec<String>> {
        tokio::spawn(async move {
            let mut client = self;
            let mut texts = Vec::new();
            while let Some(Ok(message)) = client.0.next().await {
                if let Message::Text(text) = message {
                    texts.push(text.to_string());
                }
            }
            texts
        })
    }
}
