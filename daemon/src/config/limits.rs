//! How much of the daemon one client, one address and all together may use.

use std::time::Duration;

use super::source::Source;

/// Bounds on what strangers can ask for. Beyond one, a handshake is answered with a status that says so, and a
/// connection ends with a close code that does.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of this daemon. `limits.connections`, default 100,000. The open-file limit of the process
    /// bounds them too.
    pub connections: usize,
    /// Connections of one user to this daemon. `limits.connections_per_user`, default 100.
    pub connections_per_user: usize,
    /// Connections from one address, handshakes included; of IPv6 from one /64.
    /// `limits.connections_per_address`, default 1,000.
    pub connections_per_address: usize,
    /// Handshakes of one address in a second. `limits.handshakes_per_address`, default 100.
    pub handshakes_per_address: u32,
    /// Connections that are let in within a second, whoever they are; the others wait.
    /// `limits.admissions`, default 2,000.
    pub admissions: u32,
    /// From the start of a connection to the end of its handshake. `limits.handshake_ms`, default 10,000.
    pub handshake: Duration,
    /// Longest message of a client, in bytes. `limits.message_bytes`, default 65,536.
    pub message_bytes: usize,
    /// Messages of a client within ten seconds that confirm nothing. `limits.messages`, default 2,000.
    pub messages: u32,
    /// Bytes of such messages within ten seconds. `limits.bytes`, default 4 MiB.
    pub bytes: usize,
    /// Frames that wait for one client. `limits.outbox_frames`, default 512.
    pub outbox_frames: usize,
    /// Bytes that wait for one client. `limits.outbox_bytes`, default 1 MiB.
    pub outbox_bytes: usize,
    /// Bytes that wait for all clients together; beyond it each may still have 64 KiB waiting.
    /// `limits.outbox_total_bytes`, default 256 MiB.
    pub outbox_total_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connections_per_user: 100,
            connections_per_address: 1_000,
            handshakes_per_address: 100,
            admissions: 2_000,
            handshake: Duration::from_secs(10),
            message_bytes: 64 * 1024,
            messages: 2_000,
            bytes: 4 * 1024 * 1024,
            outbox_frames: 512,
            outbox_bytes: 1024 * 1024,
            outbox_total_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn read<E: Fn(&str) -> Option<String>>(source: &mut Source<E>) -> Option<Self> {
        let default = Self::default();
        let mut read = |key: &str, default: usize, least: usize| {
            let parse = |text: &str| match text.parse::<u32>() {
                Ok(number) if number as usize >= least => Ok(number),
                _ => Err(format!("{text:?} must be a whole number from {least} to {}", u32::MAX)),
            };
            let key = format!("limits.{key}");
            source.parsed(&key, &Source::<E>::variable(&key), &default.to_string(), parse)
        };
        let mut rate = |key: &str, default: u32| read(key, default as usize, 1);
        let handshakes_per_address = rate("handshakes_per_address", default.handshakes_per_address);
        let admissions = rate("admissions", default.admissions);
        let messages = rate("messages", default.messages);
        let handshake_ms = read("handshake_ms", 10_000, 100);
        let mut size = |key: &str, default, least| read(key, default, least).map(|number| number as usize);
        let connections = size("connections", default.connections, 1);
        let connections_per_user = size("connections_per_user", default.connections_per_user, 1);
        let connections_per_address = size("connections_per_address", default.connections_per_address, 1);
        let message_bytes = size("message_bytes", default.message_bytes, 1_024);
        let bytes = size("bytes", default.bytes, 65_536);
        let outbox_frames = size("outbox_frames", default.outbox_frames, 1);
        let outbox_bytes = size("outbox_bytes", default.outbox_bytes, 65_536);
        let outbox_total_bytes = size("outbox_total_bytes", default.outbox_total_bytes, 65_536);
        Some(Self {
            connections: connections?,
            connections_per_user: connections_per_user?,
            connections_per_address: connections_per_address?,
            handshakes_per_address: handshakes_per_address?,
            admissions: admissions?,
            handshake: Duration::from_millis(handshake_ms?.into()),
            message_bytes: message_bytes?,
            messages: messages?,
            bytes: bytes?,
            outbox_frames: outbox_frames?,
            outbox_bytes: outbox_bytes?,
            outbox_total_bytes: outbox_total_bytes?,
        })
    }
}
