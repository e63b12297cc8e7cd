//! One socket, from the upgrade to the close.
//!
//! A session is in one of two states. While it flushes, frames that arrive live wait in its outbox, which is
//! the gate; once the flush is done they follow. A new epoch of the subscriptions sends it back to flushing.

pub mod inbound;
pub mod tracking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use chatpush_wire::entry::Entry;
use chatpush_wire::frame;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::token::Verifier;
use futures_util::SinkExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, timeout};

use self::inbound::{Inbound, Pace};
use self::tracking::Tracking;
use crate::base::clock;
use crate::base::fault_injection::{self, Promise};
use crate::base::metrics;
use crate::config::Limits;
use crate::edge::acks::Acks;
use crate::edge::admission::{ConnectionPermit, Rejection};
use crate::edge::replay::{Replay, ReplayPart};
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::close::Close;
use crate::hub::{Epoch, Hub, Outgoing, Registration};

/// How often a ping goes out; a client that was silent over two of them is gone.
const PING: Duration = Duration::from_secs(25);

/// Bound on writing to a client that does not read.
const WRITE: Duration = Duration::from_secs(10);

/// Bytes that are written before a client has to take them and is pinged.
const SLICE: usize = 64 * 1024;

/// How long a flush that failed rests.
const RESTART: Duration = Duration::from_secs(1);

/// How long a close may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How a client acks and what it wants to see, by the subprotocol it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// None: JSON frames, confirmed by pong.
    Plain,
    /// `chatpush.raw`: the content alone, confirmed by pong.
    Raw,
    /// `chatpush.v1`: JSON frames, confirmed by the page.
    V1,
}

impl Protocol {
    /// The names to offer, the preferred one first.
    pub const NAMES: [&str; 2] = ["chatpush.v1", "chatpush.raw"];

    /// The protocol that was agreed on.
    pub fn agreed(name: Option<&str>) -> Self {
        match name {
            Some("chatpush.v1") => Self::V1,
            Some("chatpush.raw") => Self::Raw,
            _ => Self::Plain,
        }
    }
}

/// What every session works with. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Who is connected.
    pub hub: Arc<Hub>,
    /// Who is subscribed.
    pub subscriptions: Subscriptions,
    /// What they missed.
    pub flush: Replay,
    /// Where confirmations go.
    pub acks: Acks,
    /// What new tokens are held against.
    pub verifier: Verifier,
    /// How much a client may say.
    pub limits: Limits,
}

/// A place in the hub that gives notice when it is given up.
#[derive(Debug)]
pub struct RegistrationGuard {
    /// Nothing only while it is given up.
    registration: Option<Registration>,
    user: UserId,
    subscriptions: Subscriptions,
    #[allow(dead_code, reason = "held for its end")]
    permit: ConnectionPermit,
}

impl Sessions {
    /// Takes a place for one more connection of `user`.
    ///
    /// # Errors
    ///
    /// [`Rejection::User`].
    pub fn register(&self, user: UserId, permit: ConnectionPermit) -> Result<RegistrationGuard, Rejection> {
        let registration =
            self.hub.register(user, self.limits.connections_per_user).ok_or(Rejection::User)?;
        Ok(RegistrationGuard {
            registration: Some(registration),
            user,
            subscriptions: self.subscriptions.clone(),
            permit,
        })
    }

    /// Serves one socket until either side closes it. The token expires at `expires`, in seconds since 1970.
    pub async fn serve(
        self,
        socket: WebSocket,
        mut guard: RegistrationGuard,
        expires: u64,
        protocol: Protocol,
    ) {
        let Some(registration) = guard.registration.take() else { return };
        let user = registration.user();
        metrics::CONNECTED.add(1);
        let mut session = Session {
            socket,
            protocol,
            tracking: Tracking::default(),
            pace: Pace::default(),
            heard: Instant::now(),
            // A crowd that came at once is not pinged at once.
            ping: Instant::now() + PING.mul_f64(0.5 + fastrand::f64() / 2.0),
            expires: until(expires),
            sessions: &self,
            registration,
        };
        let close = session.run().await;
        let Session { mut socket, registration, .. } = session;
        guard.registration = Some(registration);
        // The user has left; the socket counts until it is closed.
        let _permit = guard.permit.clone();
        drop(guard);
        if close == Some(Close::Slow) {
            metrics::SLOW.add(1);
        }
        if let Some(close) = close {
            tracing::debug!(%user, code = close.code(), "closing");
            let goodbye = async {
                // Who does not take the close frame learns by TCP.
                if socket.send(Message::Close(Some(close.frame()))).await.is_ok() {
                    while let Some(Ok(_)) = socket.recv().await {}
                }
            };
            let _ = timeout(GOODBYE, goodbye).await;
        }
    }
}

impl Drop for RegistrationGuard {
    fn drop(&mut self) {
        self.registration = None;
        self.subscriptions.left(self.user);
    }
}

struct Session<'a> {
    socket: WebSocket,
    protocol: Protocol,
    tracking: Tracking,
    pace: Pace,
    /// When the client was last heard of.
    heard: Instant,
    /// When the next ping is due.
    ping: Instant,
    /// When the token expires.
    expires: Instant,
    sessions: &'a Sessions,
    registration: Registration,
}

/// Why the loop ends: with a close frame, or because the socket is gone.
type Ended = Option<Close>;

impl Session<'_> {
    async fn run(&mut self) -> Ended {
        let alarm = tokio::time::sleep_until(self.ping.min(self.expires));
        tokio::pin!(alarm);
        let mut flush = Some(self.sessions.flush.start(self.registration.user()));
        let mut current: Epoch = 0;
        // Frames that were taken from the outbox just as a new epoch began.
        let mut late = Vec::new();
        loop {
            // A page that acks nothing is sent no more than can be remembered.
            let room = self.tracking.has_room();
            let flushing = flush.is_some();
            let open = !flushing && room;
            let epoch = if flushing { self.registration.epoch() } else { current };
            let step = tokio::select! {
                part = next(&mut flush), if flushing && room => match part {
                    Some(ReplayPart::Page(frames)) => self.write(frames).await,
                    Some(ReplayPart::Last(mut frames, epoch)) => {
                        (flush, current) = (None, epoch);
                        frames.append(&mut late);
                        let written = self.write(frames).await;
                        self.registration.written();
                        written
                    }
                    // A flush that ends early has failed in a way that may last.
                    None => {
                        flush = Some(self.sessions.flush.start_after(RESTART, self.registration.user()));
                        Ok(())
                    }
                },
                () = self.registration.ready(open, epoch) => match self.registration.take(open) {
                    Err(close) => Err(Some(close)),
                    Ok(frames) if self.registration.epoch() == current => {
                        let written = self.write(frames).await;
                        self.registration.written();
                        written
                    }
                    // Older messages may have been missed: they go first.
                    Ok(frames) => {
                        late.extend(frames);
                        Ok(())
                    }
                },
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(error)) => Err(inbound::violation(&error)),
                    None => Err(None),
                },
                () = &mut alarm => self.wake().await,
            };
            if let Err(ended) = step {
                return ended;
            }
            if flush.is_none() && self.registration.epoch() != current {
                flush = Some(self.sessions.flush.start(self.registration.user()));
            }
            self.set(alarm.as_mut());
        }
    }

    /// Sets the alarm to what is due next, if that has changed.
    fn set(&self, alarm: std::pin::Pin<&mut Sleep>) {
        let next = self.ping.min(self.expires);
        if alarm.deadline() != next {
            alarm.reset(next);
        }
    }

    /// Writes frames and, where the pong acks, pings behind them, in as few writes as possible.
    async fn write(&mut self, frames: Vec<Outgoing>) -> Result<(), Ended> {
        let mut frames = VecDeque::from(frames);
        let began = Instant::now();
        while !frames.is_empty() {
            // A slow link is given time for each slice, and a ping behind it.
            let mut bytes = 0;
            let slice = frames.iter().take_while(|outgoing| {
                let fits = bytes < SLICE;
                bytes += outgoing.frame.len();
                fits
            });
            let slice = slice.count();
            self.write_slice(frames.drain(..slice).collect()).await?;
        }
        // Nobody was listened to meanwhile.
        self.heard += began.elapsed();
        Ok(())
    }

    async fn write_slice(&mut self, frames: Vec<Outgoing>) -> Result<(), Ended> {
        let Self { socket, protocol, tracking, sessions, registration, expires, .. } = self;
        metrics::DELIVERED.add(frames.len() as u64);
        let written = timeout(WRITE, async {
            let mut tracked = false;
            for Outgoing { frame, tracked: id } in frames {
                if let Some(id) = id {
                    if !tracking.send(&id) {
                        continue;
                    }
                    tracked = true;
                    if fault_injection::breaks(Promise::Confirm) {
                        let ids = vec![MessageId::clone(&id)];
                        let entry = Entry::ClientAck { receiver: registration.user(), ids };
                        sessions.acks.append(entry).await;
                    }
                }
                socket.feed(Message::Text(rendered(*protocol, frame))).await?;
            }
            if tracked && *protocol != Protocol::V1 {
                socket.feed(ping(tracking)).await?;
            }
            socket.flush().await
        });
        tokio::select! {
            // Most sockets take everything at once, and the rest is not looked at.
            biased;
            written = written => match written {
                Ok(written) => written.map_err(|_| None),
                Err(_) => Err(Some(Close::Slow)),
            },
            close = registration.cut_short() => Err(Some(close)),
            () = tokio::time::sleep_until(*expires) => Err(Some(Close::Expired)),
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Ended> {
        self.heard = Instant::now();
        let bytes = length(&message);
        let confirmed = match message {
            Message::Pong(payload) if self.protocol != Protocol::V1 => {
                let number = std::str::from_utf8(&payload).ok().and_then(|text| text.parse().ok());
                number.map_or_else(Vec::new, |number| self.tracking.pong(number))
            }
            Message::Text(text) if self.protocol == Protocol::V1 => match Inbound::read(&text) {
                Some(Inbound::Ack(ids)) => self.tracking.ack(&ids),
                Some(Inbound::Read) => {
                    let clear = Entry::Clear { receiver: self.registration.user(), reply_to: None };
                    self.sessions.acks.append(clear).await;
                    Vec::new()
                }
                Some(Inbound::Token(token)) => {
                    match self.sessions.verifier.verify(&token, clock::unix_seconds()) {
                        Ok(pass) if pass.user == self.registration.user() => {
                            self.expires = until(pass.expires)
                        }
                        // The old one counts until it ends.
                        _ => tracing::debug!(user = %self.registration.user(), "a new token is not good"),
                    }
                    Vec::new()
                }
                Some(Inbound::Ping) => {
                    self.send(Message::Text(Utf8Bytes::from_static(r#"{"pong":true}"#))).await?;
                    Vec::new()
                }
                None => Vec::new(),
            },
            // Old front ends send heartbeats of their own; they may, at a bearable pace.
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => Vec::new(),
            Message::Binary(_) => return Err(Some(Close::Binary)),
            Message::Close(_) => return Err(None),
        };
        // What acks something was asked for, however much it is.
        if confirmed.is_empty() && !self.pace.allows(self.heard, bytes, &self.sessions.limits) {
            return Err(Some(Close::Flooding));
        }
        self.confirm(confirmed).await;
        Ok(())
    }

    async fn confirm(&mut self, ids: Vec<MessageId>) {
        if !ids.is_empty() {
            metrics::CONFIRMED.add(ids.len() as u64);
            let receiver = self.registration.user();
            self.sessions.acks.append(Entry::ClientAck { receiver, ids }).await;
        }
    }

    /// The alarm went off: the token has expired, or a ping is due.
    async fn wake(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if now >= self.expires {
            return Err(Some(Close::Expired));
        }
        if now < self.ping {
            return Ok(());
        }
        if self.heard.elapsed() > PING * 2 {
            return Err(Some(Close::Silent));
        }
        self.ping = now + PING;
        let ping = ping(&mut self.tracking);
        self.send(ping).await
    }

    /// Sends one frame of our own.
    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(WRITE, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| None),
            Err(_) => Err(Some(Close::Slow)),
        }
    }
}

/// The frame as the protocol shows it.
fn rendered(protocol: Protocol, json: Utf8Bytes) -> Utf8Bytes {
    match protocol {
        Protocol::Raw => frame::content_of(&json).map_or(json, Utf8Bytes::from),
        Protocol::Plain | Protocol::V1 => json,
    }
}

/// The instant of a time in seconds since 1970. One that is centuries away is a year away, which no connection
/// lives to see.
fn until(expires: u64) -> Instant {
    const YEAR: u64 = 31_536_000;
    Instant::now() + Duration::from_secs(expires.saturating_sub(clock::unix_seconds()).min(YEAR))
}

/// Bytes of what a client said.
fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

fn ping(tracking: &mut Tracking) -> Message {
    Message::Ping(tracking.ping().to_string().into())
}

async fn next(flush: &mut Option<mpsc::Receiver<ReplayPart>>) -> Option<ReplayPart> {
    match flush {
        Some(parts) => parts.recv().await,
        None => None,
    }
}
