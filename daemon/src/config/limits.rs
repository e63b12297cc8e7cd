//! How much one client, one address and all clients together may use.

use std::time::Duration;

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    limit("limits.connections", "100000", 1, "", "Connections of this daemon")
        .details("The open-file limit of the process bounds them too.")
        .reloads(),
    limit("limits.connections_per_user", "100", 1, "", "Connections of one user to this daemon").reloads(),
    limit("limits.connections_per_address", "1000", 1, "", "Connections from one address")
        .details("An IPv6 address counts as its /64 network. Connections in their handshake count too.")
        .reloads(),
    limit("limits.handshakes_per_address", "100", 1, "", "Handshakes from one address per second").reloads(),
    limit("limits.admissions", "2000", 1, "", "Connections that are accepted per second")
        .details(
            "Others wait. A connection that would wait longer than half of `limits.handshake_ms` is refused.",
        )
        .reloads(),
    limit(
        "limits.handshake_ms",
        "10000",
        100,
        "milliseconds",
        "Longest time from the start of a connection to the end of its handshake",
    )
    .reloads(),
    limit("limits.message_bytes", "65536", 1_024, "bytes", "Longest message from a client").reloads(),
    limit("limits.messages", "2000", 1, "", "Messages from one client in ten seconds")
        .details("An ack that confirms a message does not count.")
        .reloads(),
    limit("limits.bytes", "4194304", 65_536, "bytes", "Size of all messages from one client in ten seconds")
        .reloads(),
    limit("limits.events", "20", 1, "", "Client events from one client per second")
        .details("Further ones are dropped, and counted in `chatpush_events_dropped_total`.")
        .reloads(),
    limit("limits.outbox_frames", "512", 1, "", "Frames that may wait for one client that does not read"),
    limit("limits.outbox_bytes", "1048576", 65_536, "bytes", "Data that may wait for one client"),
    limit(
        "limits.outbox_total_bytes",
        "268435456",
        65_536,
        "bytes",
        "Data that may wait for all clients together",
    )
    .details(
        "Stored messages on their way are included. Beyond it, each client may still have 64 KiB waiting.",
    ),
];

const fn limit(
    key: &'static str,
    default: &'static str,
    least: u32,
    unit: &'static str,
    summary: &'static str,
) -> Setting {
    Setting::integer(key, default, least..=u32::MAX, unit, summary)
}

/// Bounds on what clients can ask for. Beyond one, a handshake is refused with a status that names it, and a
/// connection is closed with a code that does.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of this daemon.
    pub connections: usize,
    /// Connections of one user to this daemon.
    pub connections_per_user: usize,
    /// Connections from one address, or from one /64 network of IPv6, handshakes included.
    pub connections_per_address: usize,
    /// Handshakes from one address, or from one /64 network of IPv6, per second.
    pub handshakes_per_address: u32,
    /// Connections that are accepted per second. Others wait.
    pub admissions: u32,
    /// Longest time from the start of a connection to the end of its handshake.
    pub handshake: Duration,
    /// Longest message from a client.
    pub message_bytes: usize,
    /// Messages from one client in ten seconds. An ack that confirms a message does not count.
    pub messages: u32,
    /// Bytes of these messages in ten seconds.
    pub bytes: usize,
    /// Client events from one client per second. Further ones are dropped.
    pub events: u32,
}

/// Bounds on what waits for clients that do not read.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// Frames that may wait for one client.
    pub frames: usize,
    /// Bytes that may wait for one client.
    pub bytes: usize,
    /// Bytes that may wait for all clients together, stored messages on their way included. Beyond it, each may
    /// still have 64 KiB waiting.
    pub total_bytes: usize,
}

impl Limits {
    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let connections = source.size("limits.connections");
        let connections_per_user = source.size("limits.connections_per_user");
        let connections_per_address = source.size("limits.connections_per_address");
        let handshakes_per_address = source.integer("limits.handshakes_per_address");
        let admissions = source.integer("limits.admissions");
        let handshake = source.milliseconds("limits.handshake_ms");
        let message_bytes = source.size("limits.message_bytes");
        let messages = source.integer("limits.messages");
        let bytes = source.size("limits.bytes");
        let events = source.integer("limits.events");
        Some(Self {
            connections: connections?,
            connections_per_user: connections_per_user?,
            connections_per_address: connections_per_address?,
            handshakes_per_address: handshakes_per_address?,
            admissions: admissions?,
            handshake: handshake?,
            message_bytes: message_bytes?,
            messages: messages?,
            bytes: bytes?,
            events: events?,
        })
    }
}

impl OutboxLimits {
    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let frames = source.size("limits.outbox_frames");
        let bytes = source.size("limits.outbox_bytes");
        let total_bytes = source.size("limits.outbox_total_bytes");
        Some(Self { frames: frames?, bytes: bytes?, total_bytes: total_bytes? })
    }
}
