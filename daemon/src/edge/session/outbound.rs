//! What a session writes to its socket.

use std::collections::VecDeque;
use std::time::Duration;

use chatpush_wire::frame;
use chatpush_wire::id::MessageId;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Session;
use super::end::{End, Step};
use super::tracking::Tracking;
use crate::base::fault_injection::{self, Promise};
use crate::base::message_log;
use crate::base::metrics::WrittenFrames;
use crate::edge::acks::Ack;
use crate::hub::close_code::Close;
use crate::hub::{Outgoing, Written};

/// How long one write to a client may take before it counts as too slow.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes written at a time. A slow client has [`WRITE_TIMEOUT`] for each slice, and is pinged after each.
const SLICE_BYTES: usize = 64 * 1024;

impl Session<'_> {
    /// Writes frames slice by slice and, where a pong confirms, a ping behind each slice.
    pub(super) async fn write(&mut self, frames: Vec<Outgoing>, written: Written) -> Step {
        let mut frames = VecDeque::from(frames);
        let start = Instant::now();
        while !frames.is_empty() {
            let mut bytes = 0;
            let slice = frames.iter().take_while(|outgoing| {
                let fits = bytes < SLICE_BYTES;
                bytes += outgoing.bytes();
                fits
            });
            let count = slice.count();
            self.write_slice(frames.drain(..count).collect(), written).await?;
        }
        // Nothing was received while writing, so that time does not count as silence.
        self.last_received += start.elapsed();
        Ok(())
    }

    async fn write_slice(&mut self, frames: Vec<Outgoing>, written: Written) -> Step {
        let Self { socket, protocol, tracking, context, registration, token_expires, connection, .. } = self;
        let mut counted = WrittenFrames::default();
        let writing = timeout(WRITE_TIMEOUT, async {
            let mut has_tracked = false;
            for outgoing in frames {
                if let Some(id) = outgoing.tracked() {
                    if !tracking.send(id) {
                        continue;
                    }
                    has_tracked = true;
                    counted.stored();
                    message_log::sent(id, registration.user(), *connection, true);
                    if fault_injection::breaks(Promise::Confirm) {
                        let ids = vec![MessageId::clone(id)];
                        context.acks.append(Ack::Messages(registration.user().clone(), ids)).await;
                    }
                } else if outgoing.arrived().is_some() {
                    counted.pushed();
                    if message_log::is_on()
                        && let Some(id) = frame::message_id(outgoing.frame())
                    {
                        message_log::sent(&id, registration.user(), *connection, false);
                    }
                }
                counted.frame();
                counted.arrived(outgoing.arrived());
                socket.feed(Message::Text(outgoing.into_text())).await?;
            }
            if has_tracked && protocol.confirms_by_pong() {
                socket.feed(ping(tracking)).await?;
            }
            socket.flush().await?;
            counted.record();
            Ok::<_, Error>(())
        });
        tokio::select! {
            // Most sockets take everything at once; then the other branches are not polled.
            biased;
            written = writing => match written {
                Ok(written) => written.map_err(|_| End::Disconnected),
                Err(_) => Err(Close::Slow.into()),
            },
            close = registration.cut_short(written) => Err(close.into()),
            () = sleep_until(*token_expires) => Err(Close::Expired.into()),
        }
    }

    /// Sends a ping.
    pub(super) async fn send_ping(&mut self) -> Step {
        let ping = ping(&mut self.tracking);
        self.send(ping).await
    }

    /// Sends one message that is not a chat message.
    pub(super) async fn send(&mut self, message: Message) -> Step {
        match timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| End::Disconnected),
            Err(_) => Err(Close::Slow.into()),
        }
    }
}

fn ping(tracking: &mut Tracking) -> Message {
    Message::Ping(tracking.ping().to_string().into())
}
