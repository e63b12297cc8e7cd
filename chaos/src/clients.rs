//! WebSocket clients that connect, confirm by one of three subprotocols, and end in one of several ways.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use chatpush_wire::token::{self, Secret};
use fastrand::Rng;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Ports, SECRET};
use crate::history::{Frame, History, Key, lock};
use crate::schema::Schema;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PROTOCOLS: [Option<&str>; 3] = [None, Some("chatpush.raw"), Some("chatpush.v1")];

const WITH_IDS: [Option<&str>; 2] = [None, Some("chatpush.v1")];

/// The ways in which a connection ends.
const ENDS: [&str; 4] = ["close", "vanish", "half-close", "stall"];

/// What all clients share.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// The ids of users.
    pub(crate) schema: Arc<Schema>,
    /// The ports of the running daemons.
    pub(crate) ports: Ports,
    /// The record of connections and messages.
    pub(crate) history: Arc<Mutex<History>>,
    /// Cancelled for the final delivery: clients connect once more and stay.
    pub(crate) drain: CancellationToken,
    /// Cancelled when all clients must end.
    pub(crate) stop: CancellationToken,
}

impl Clients {
    /// Runs the client of one user. It connects repeatedly; in the final delivery it stays connected, so that
    /// all stored messages are delivered.
    pub(crate) async fn run(self, user: u32, seed: u64) {
        let mut rng = Rng::with_seed(seed ^ u64::from(user));
        while !self.stop.is_cancelled() {
            let draining = self.drain.is_cancelled();
            // Some never use the protocol that shows neither id nor type.
            let protocols: &[_] = if user.is_multiple_of(3) { &WITH_IDS } else { &PROTOCOLS };
            let protocol = if draining { None } else { protocols[rng.usize(..protocols.len())] };
            // Some are online all the time, and confirm what they get while servers change.
            let stays = draining || user.is_multiple_of(4);
            let stay = if stays { Duration::MAX } else { Duration::from_millis(rng.u64(100..4_000)) };
            let end = if draining { "stay" } else { ENDS[rng.usize(..ENDS.len())] };
            if let Ok(socket) = self.connect(user, protocol, &mut rng).await {
                self.hold(user, socket, protocol, stay, end).await;
            }
            let pause = sleep(Duration::from_millis(if draining { 50 } else { rng.u64(10..1_500) }));
            tokio::select! {
                () = pause => {}
                () = self.drain.cancelled(), if !draining => {}
            }
        }
    }

    /// Records a frame that is no message.
    fn note(&self, text: &str, connection: usize) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
        let mut history = lock(&self.history);
        match frame["type"].as_str() {
            Some("recall") => {
                let ids = frame["ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
                ids.for_each(|id| history.told(connection, id));
            }
            Some("unread_count") => {
                let Some(by) = frame["by"].as_object() else { return };
                let sum: u64 = by.values().filter_map(Value::as_u64).sum();
                if frame["data"].as_u64() != Some(sum) {
                    history.wrong.push(format!("a counter is not what its conversations count: {text}"));
                }
            }
            _ => {}
        }
    }

    /// Connects to one of the daemons that run.
    pub(crate) async fn connect(
        &self,
        user: u32,
        protocol: Option<&str>,
        rng: &mut Rng,
    ) -> anyhow::Result<Socket> {
        let ports: Vec<u16> =
            self.ports.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().copied().collect();
        let port = *rng.choice(&ports).context("no daemon runs")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let token = token::sign(&Secret::new(SECRET)?, self.schema.id(user)?, None, now, 60);
        let mut request = format!("ws://127.0.0.1:{port}/ws?token={token}").into_client_request()?;
        if let Some(protocol) = protocol {
            request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_str(protocol)?);
        }
        let (socket, _) = timeout(Duration::from_secs(3), connect_async(request)).await??;
        Ok(socket)
    }

    /// Reads and confirms for a while, then ends the connection in this way.
    pub(crate) async fn hold(
        &self,
        user: u32,
        mut socket: Socket,
        protocol: Option<&str>,
        stay: Duration,
        end: &str,
    ) {
        let what = format!("{} then {end}", protocol.unwrap_or("plain"));
        let connection = lock(&self.history).connected(user, what);
        let reading = async {
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else { continue };
                let Some((key, frame)) = read(&text, protocol, user) else {
                    self.note(&text, connection);
                    continue;
                };
                let id = frame.as_ref().map(|frame| frame.id.clone());
                lock(&self.history).shown(connection, key, frame);
                if let (Some("chatpush.v1"), Some(id)) = (protocol, id) {
                    let ack = serde_json::json!({ "ack": [id] }).to_string();
                    if socket.send(Message::text(ack)).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = reading => return,
            () = sleep(stay) => {}
            () = self.stop.cancelled() => {}
            () = self.drain.cancelled(), if end != "stay" => {}
        }
        match end {
            "close" => {
                let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
            }
            "half-close" => {
                if let MaybeTlsStream::Plain(tcp) = socket.get_mut() {
                    let _ = tcp.shutdown().await;
                }
                sleep(Duration::from_millis(200)).await;
            }
            "stall" => {
                // The connection stays open, and the client reads nothing.
                tokio::select! {
                    () = sleep(Duration::from_secs(3)) => {}
                    () = self.drain.cancelled() => {}
                }
            }
            _ => {}
        }
    }
}

/// Returns the key of the message in a frame, with the other fields if it has them. None: the frame is no
/// message, or one whose words come again and which has no id.
fn read(text: &str, protocol: Option<&str>, user: u32) -> Option<(Key, Option<Frame>)> {
    if protocol == Some("chatpush.raw") {
        return is_content(text).then(|| (key(text, user), None));
    }
    let frame: Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| frame[name].as_str().map(str::to_owned);
    // Only messages have an id.
    let (content, id, message_type) = (field("data")?, field("id")?, field("type")?);
    let own = if is_content(&content) {
        content
    } else {
        // The sender's id, or the type of a push.
        id.split_once(':').map_or_else(|| message_type.clone(), |(_, id)| id.to_owned())
    };
    Some((key(&own, user), Some(Frame { id, message_type, conversation: field("conversation") })))
}

/// Whether a content is unique: it names its worker.
fn is_content(text: &str) -> bool {
    text.starts_with('w') && text.contains('-')
}

/// A message to many has a key for each of them.
pub(crate) fn key(content: &str, user: u32) -> Key {
    if content.contains("-g-") { format!("{content}@{user}") } else { content.to_owned() }
}
