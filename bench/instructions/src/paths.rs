//! The hot paths, each of which can be run any number of times.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use chatpush_daemon::base::metrics::WrittenFrames;
use chatpush_daemon::edge::session::client_frame::ClientFrame;
use chatpush_daemon::fanout::connection_queries::ConnectionQueries;
use chatpush_daemon::fanout::dispatch::{Dispatcher, Queues};
use chatpush_daemon::fanout::presence::Presence;
use chatpush_daemon::fanout::room_queries::RoomQueries;
use chatpush_daemon::hub::{Bounds, Format, Hub, Registration, Sendable};
use chatpush_daemon::query::queue::QueryQueue;
use chatpush_wire::envelope;
use chatpush_wire::frame::{DEFAULT_TYPE, Message, MessageType};
use chatpush_wire::id::{MessageId, Sender, UserId, UserIdType};
use chatpush_wire::key::Prefix;
use clap::ValueEnum;
use redis::{PushInfo, PushKind, Value};
use tokio::time::Instant;

/// A content of usual length and characters.
const CONTENT: &str = "Are you coming tonight? We start at eight, \"as always\".";

/// Code that runs for every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// The extension renders a message as a frame for the client.
    Render,
    /// A push message of Redis becomes a frame in the outbox of one connection, which takes it out.
    Forward,
    /// The same for a user with eight connections.
    FanOut,
    /// A client's ack of ten messages is parsed.
    Ack,
    /// What metrics record of one push that was written to one connection.
    Metrics,
}

impl Path {
    /// All paths.
    pub(crate) const ALL: [Self; 5] = [Self::Render, Self::Forward, Self::FanOut, Self::Ack, Self::Metrics];

    /// Runs it this many times.
    pub(crate) fn run(self, times: u32) -> anyhow::Result<()> {
        match self {
            Self::Render => {
                let id = id(1)?;
                for _ in 0..times {
                    let message = Message {
                        id: &id,
                        message_type: None,
                        data: black_box(CONTENT),
                        from: Some(&Sender::Int(7)),
                        conversation: None,
                    };
                    black_box(message.live(1_700_000_000_000));
                }
                Ok(())
            }
            Self::Forward => forward(1, times),
            Self::FanOut => forward(8, times),
            Self::Ack => {
                let ids: Vec<_> = (0..10).map(|number| id(number).map(|id| format!("\"{id}\""))).collect();
                let ids = ids.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
                let frame = format!("{{\"ack\":[{}]}}", ids.join(","));
                for _ in 0..times {
                    ensure!(ClientFrame::parse(black_box(&frame)).is_some(), "the ack is not parsed");
                }
                Ok(())
            }
            Self::Metrics => {
                for _ in 0..times {
                    let mut written = WrittenFrames::default();
                    written.frame();
                    written.pushed();
                    written.arrived(Some(Instant::now()));
                    black_box(written).record();
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Render => "render",
            Self::Forward => "forward",
            Self::FanOut => "fan-out",
            Self::Ack => "ack",
            Self::Metrics => "metrics",
        })
    }
}

fn forward(devices: usize, times: u32) -> anyhow::Result<()> {
    let hub = Arc::new(Hub::new(Bounds { frames: 8, bytes: 1 << 20, total: 1 << 30 }));
    let prefix = Prefix::default();
    let user = UserId::try_from(42)?;
    let registrations: Vec<Registration> =
        (0..devices).filter_map(|_| hub.register(user.clone(), Format::Json, devices)).collect();
    let (queries, _queue) = QueryQueue::new();
    let default_type = MessageType::Name(DEFAULT_TYPE.to_owned());
    let (room_queries, _room_queue) = RoomQueries::new();
    let presence = Presence::new(hub.clone(), UserIdType::Int);
    let (connection_queries, _) = ConnectionQueries::new();
    let queues = Queues { queries, room_queries, connection_queries };
    let installation = (prefix.clone(), UserIdType::Int);
    let dispatcher =
        Dispatcher::new(hub, queues, presence, installation, "chatpushd".to_owned(), &default_type);
    let id = id(1)?;
    let frame = Message {
        id: &id,
        message_type: None,
        data: CONTENT,
        from: Some(&Sender::Int(7)),
        conversation: None,
    }
    .live(1_700_000_000_000);
    let channel = prefix.user_channel(&user).into_bytes();
    let envelope = [envelope::tracked(&id, false), frame].concat().into_bytes();
    for _ in 0..times {
        let data = vec![Value::BulkString(channel.clone()), Value::BulkString(envelope.clone())];
        dispatcher.push(PushInfo { kind: PushKind::SMessage, data });
        for registration in &registrations {
            let taken = registration
                .take(Sendable::Everything, registration.epoch())
                .ok()
                .context("the outbox has ended")?;
            ensure!(taken.len() == 1, "one push is one frame");
            registration.written();
        }
    }
    Ok(())
}

fn id(number: u32) -> anyhow::Result<MessageId> {
    Ok(MessageId::try_from(format!("01KB2Y5Q8ZC3W0D4V6T1N7{number:04}"))?)
}
