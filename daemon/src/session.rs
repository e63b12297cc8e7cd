//! One socket, from the upgrade to the close.
//!
//! A session is in one of two states. While it flushes, frames that arrive live wait in its outbox, which is
//! the gate; once the flush is done they follow. A new epoch of the subscriptions sends it back to flushing.

mod inbound;
mod tracking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use chatpush_wire::entry::Entry;
use chatpush_wire::frame;
use chatpush_wire::id::MessageId;
use chatpush_wire::token::{self, Pass, Secret};
use futures_util::SinkExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::sync::CancellationToken;

pub use self::inbound::MESSAGE_BYTES;
use self::inbound::{Inbound, Pace};
use self::tracking::Tracking;
use crate::close::Close;
use crate::confirm::Confirms;
use crate::flush::{Flush, Part};
use crate::hub::{Hub, Outgoing, Seat};
use crate::metrics;
use crate::presence::{Epoch, Presence};
use crate::sabotage::{self, Promise};

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

/// Frames that are written before the socket is flushed.
const BURST: usize = 64;

/// How a client confirms and what it wants to see, by the subprotocol it asked for.
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
    pub presence: Presence,
    /// What they missed.
    pub flush: Flush,
    /// Where confirmations go.
    pub confirms: Confirms,
    /// When the daemon stops.
    pub stop: CancellationToken,
}

impl Sessions {
    /// Serves one socket until either side closes it.
    pub async fn serve(self, socket: WebSocket, pass: Pass, secrets: Arc<[Secret]>, protocol: Protocol) {
        let user = pass.user;
        metrics::CONNECTED.add(1);
        let seat = self.hub.join(user);
        let mut session = Session {
            socket,
            protocol,
            tracking: Tracking::default(),
            pace: Pace::default(),
            heard: Instant::now(),
            expires: until(pass.expires),
            secrets,
            sessions: &self,
            seat,
        };
        let close = session.run().await;
        let Session { mut socket, seat, .. } = session;
        drop(seat);
        self.presence.left(user);
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

struct Session<'a> {
    socket: WebSocket,
    protocol: Protocol,
    tracking: Tracking,
    pace: Pace,
    /// When the client was last heard of.
    heard: Instant,
    /// When the token does.
    expires: Instant,
    /// What a new one is verified by.
    secrets: Arc<[Secret]>,
    sessions: &'a Sessions,
    seat: Seat,
}

/// Why the loop ends: with a close frame, or because the socket is gone.
type Ended = Option<Close>;

impl Session<'_> {
    async fn run(&mut self) -> Ended {
        let mut epochs = self.sessions.presence.epochs();
        let mut ticks = tokio::time::interval_at(Instant::now() + PING, PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flush = Some(self.sessions.flush.start(self.seat.user()));
        let mut current: Epoch = 0;
        // Frames that were taken from the inbox just as a new epoch began.
        let mut late = Vec::new();
        loop {
            // A page that confirms nothing is sent no more than can be remembered.
            let room = self.tracking.has_room();
            let open = flush.is_none() && room;
            let step = tokio::select! {
                part = next(&mut flush), if flush.is_some() && room => match part {
                    Some(Part::Frames(frames)) => self.write(frames).await,
                    Some(Part::Done(epoch)) => {
                        (flush, current) = (None, epoch);
                        self.write(std::mem::take(&mut late)).await
                    }
                    // A flush that ends early has failed in a way that may last.
                    None => {
                        flush = Some(self.sessions.flush.start_after(RESTART, self.seat.user()));
                        Ok(())
                    }
                },
                Some(first) = self.seat.inbox.recv(), if open => {
                    let mut frames = vec![first];
                    while frames.len() < BURST && let Ok(frame) = self.seat.inbox.try_recv() {
                        frames.push(frame);
                    }
                    if *epochs.borrow() == current {
                        self.write(frames).await
                    } else {
                        // Older messages may have been missed: they go first.
                        late = frames;
                        Ok(())
                    }
                }
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(error)) => Err(inbound::violation(&error)),
                    None => Err(None),
                },
                Ok(()) = epochs.changed() => Ok(()),
                _ = ticks.tick() => self.tick().await,
                () = self.seat.overflow.notified() => Err(Some(Close::Slow)),
                () = self.seat.dismissed.notified() => Err(Some(Close::Disconnected)),
                () = tokio::time::sleep_until(self.expires) => Err(Some(Close::Expired)),
                () = self.sessions.stop.cancelled() => Err(Some(Close::Restart)),
            };
            if let Err(ended) = step {
                return ended;
            }
            if flush.is_none() && *epochs.borrow_and_update() != current {
                flush = Some(self.sessions.flush.start(self.seat.user()));
            }
        }
    }

    /// Writes frames and, where the pong confirms, pings behind them, in as few writes as possible.
    async fn write(&mut self, frames: Vec<Outgoing>) -> Result<(), Ended> {
        let mut frames = VecDeque::from(frames);
        let began = Instant::now();
        while !frames.is_empty() {
            // A slow link is given time for each slice, and confirms one before the next.
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
        metrics::DELIVERED.add(frames.len() as u64);
        let mut tracked = false;
        let written = timeout(WRITE, async {
            for Outgoing { frame, tracked: id } in frames {
                if let Some(id) = id {
                    if !self.tracking.send(&id) {
                        continue;
                    }
                    tracked = true;
                    if sabotage::breaks(Promise::Confirm) {
                        let ids = vec![MessageId::clone(&id)];
                        let entry = Entry::Confirm { receiver: self.seat.user(), ids };
                        self.sessions.confirms.append(entry).await;
                    }
                }
                self.socket.feed(Message::Text(self.rendered(frame))).await?;
            }
            if tracked && self.protocol != Protocol::V1 {
                self.socket.feed(ping(&mut self.tracking)).await?;
            }
            self.socket.flush().await
        });
        match written.await {
            Ok(written) => written.map_err(|_| None),
            Err(_) => Err(Some(Close::Slow)),
        }
    }

    fn rendered(&self, json: Utf8Bytes) -> Utf8Bytes {
        match self.protocol {
            Protocol::Raw => frame::content_of(&json).map_or(json, Utf8Bytes::from),
            Protocol::Plain | Protocol::V1 => json,
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Ended> {
        self.heard = Instant::now();
        let confirmed = match message {
            Message::Pong(payload) if self.protocol != Protocol::V1 => {
                let number = std::str::from_utf8(&payload).ok().and_then(|text| text.parse().ok());
                number.map_or_else(Vec::new, |number| self.tracking.pong(number))
            }
            Message::Text(text) if self.protocol == Protocol::V1 => match Inbound::read(&text) {
                Some(Inbound::Ack(ids)) => self.tracking.ack(&ids),
                Some(Inbound::Read) => {
                    let clear = Entry::Clear { receiver: self.seat.user(), request: None };
                    self.sessions.confirms.append(clear).await;
                    Vec::new()
                }
                Some(Inbound::Token(token)) => {
                    match token::verify(&self.secrets, &token, unix_now()) {
                        Ok(pass) if pass.user == self.seat.user() => self.expires = until(pass.expires),
                        // The old one counts until it ends.
                        _ => tracing::debug!(user = %self.seat.user(), "a new token is not good"),
                    }
                    Vec::new()
                }
                Some(Inbound::Ping) => {
                    let pong = Message::Text(Utf8Bytes::from_static(r#"{"pong":true}"#));
                    match timeout(WRITE, self.socket.send(pong)).await {
                        Ok(sent) => sent.map_err(|_| None)?,
                        Err(_) => return Err(Some(Close::Slow)),
                    }
                    Vec::new()
                }
                None => Vec::new(),
            },
            // Old front ends send heartbeats of their own; they may, at a bearable pace.
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => Vec::new(),
            Message::Binary(_) => return Err(Some(Close::Binary)),
            Message::Close(_) => return Err(None),
        };
        // What confirms something was asked for, however much it is.
        if confirmed.is_empty() && !self.pace.allows(self.heard) {
            return Err(Some(Close::Flooding));
        }
        self.confirm(confirmed).await;
        Ok(())
    }

    async fn confirm(&mut self, ids: Vec<MessageId>) {
        if !ids.is_empty() {
            metrics::CONFIRMED.add(ids.len() as u64);
            let receiver = self.seat.user();
            self.sessions.confirms.append(Entry::Confirm { receiver, ids }).await;
        }
    }

    async fn tick(&mut self) -> Result<(), Ended> {
        if self.heard.elapsed() > PING * 2 {
            return Err(Some(Close::Silent));
        }
        let ping = ping(&mut self.tracking);
        match timeout(WRITE, self.socket.send(ping)).await {
            Ok(sent) => sent.map_err(|_| None),
            Err(_) => Err(Some(Close::Slow)),
        }
    }
}

/// The instant of a time in seconds since 1970. One that is centuries away is a year away, which no connection
/// lives to see.
fn until(expires: u64) -> Instant {
    const YEAR: u64 = 31_536_000;
    Instant::now() + Duration::from_secs(expires.saturating_sub(unix_now()).min(YEAR))
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn ping(tracking: &mut Tracking) -> Message {
    Message::Ping(tracking.ping().to_string().into())
}

async fn next(flush: &mut Option<mpsc::Receiver<Part>>) -> Option<Part> {
    match flush {
        Some(parts) => parts.recv().await,
        None => None,
    }
}
