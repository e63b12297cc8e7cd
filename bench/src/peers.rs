//! The peers: how each is found, installed and started. Each is configured as its documentation advises.

pub mod chatpush;
pub mod baseline;
pub mod nchan;
pub mod socket_io;
pub mod centrifugo;
pub mod sockudo;
pub mod gateway_worker;

use std::path::Path;

use chatpush_stack::server::Server;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::bench_env::{BenchEnv, SECRET};
use crate::cache::Cache;
use crate::connect_spec::ConnectSpec;
use crate::peer::{ConnectSpecs, Peer, Php};

/// What is measured: chatpush itself and its alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerName {
    /// This project.
    Chatpush,
    /// phpredis and PDO, without a server: a client subscribes to Redis directly.
    Baseline,
    /// nchan with one nginx worker.
    Nchan,
    /// nchan with two nginx workers.
    Nchan2,
    /// socket.io with its Redis adapter.
    SocketIo,
    /// Centrifugo.
    Centrifugo,
    /// Sockudo.
    Sockudo,
    /// GatewayWorker with GatewayClient.
    GatewayWorker,
}

impl PeerName {
    /// All peers, chatpush first.
    pub const ALL: [Self; 8] = [
        Self::Chatpush,
        Self::Baseline,
        Self::Nchan,
        Self::Nchan2,
        Self::SocketIo,
        Self::Centrifugo,
        Self::Sockudo,
        Self::GatewayWorker,
    ];

    /// Its title in tables and plots.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Chatpush => "chatpush",
            Self::Baseline => "phpredis, PDO",
            Self::Nchan => "nchan",
            Self::Nchan2 => "nchan, 2 workers",
            Self::SocketIo => "socket.io",
            Self::Centrifugo => "Centrifugo",
            Self::Sockudo => "Sockudo",
            Self::GatewayWorker => "GatewayWorker",
        }
    }

    /// Its title where deliveries are measured. The baseline is the floor there: nothing that goes through
    /// Redis can be faster.
    pub const fn live_title(self) -> &'static str {
        match self {
            Self::Baseline => "floor",
            other => other.title(),
        }
    }

    /// Its version.
    ///
    /// # Errors
    ///
    /// If it is not installed; the text says how to install it.
    pub fn version(self, cache: &Cache) -> Result<String, String> {
        match self {
            Self::Chatpush => Ok(env!("CARGO_PKG_VERSION").to_owned()),
            Self::Baseline => baseline::version(cache),
            Self::Nchan | Self::Nchan2 => nchan::version(cache),
            Self::SocketIo => socket_io::version(cache),
            Self::Centrifugo => centrifugo::version(cache),
            Self::Sockudo => sockudo::version(cache),
            Self::GatewayWorker => gateway_worker::version(),
        }
    }

    /// Fetches it into the cache and builds it.
    pub fn install(self, cache: &Cache) -> anyhow::Result<()> {
        match self {
            Self::Chatpush => Ok(()),
            Self::Baseline => baseline::install(cache),
            Self::Nchan | Self::Nchan2 => nchan::install(cache),
            Self::SocketIo => socket_io::install(cache),
            Self::Centrifugo => centrifugo::install(cache),
            Self::Sockudo => sockudo::install(cache),
            Self::GatewayWorker => gateway_worker::install(),
        }
    }

    /// Starts it.
    pub fn start(self, env: &BenchEnv) -> anyhow::Result<Peer> {
        match self {
            Self::Chatpush => chatpush::start(env),
            Self::Baseline => baseline::start(env),
            Self::Nchan => nchan::start(env, 1),
            Self::Nchan2 => nchan::start(env, 2),
            Self::SocketIo => socket_io::start(env),
            Self::Centrifugo => centrifugo::start(env),
            Self::Sockudo => sockudo::start(env),
            Self::GatewayWorker => gateway_worker::start(env),
        }
    }
}

/// A peer with one server, which PHP calls over HTTP at the port to which clients connect.
fn http_peer(
    script: &'static str,
    port: u16,
    spec: impl Fn(u32) -> ConnectSpec + 'static,
    server: Server,
) -> Peer {
    Peer {
        connect_specs: ConnectSpecs::PerUser(Box::new(spec)),
        php: Php {
            peer: script,
            settings: Vec::new(),
            environment: vec![
                ("BENCH_ADDRESS", format!("127.0.0.1:{port}")),
                ("BENCH_KEY", SECRET.to_owned()),
            ],
        },
        servers: vec![server],
        uses_redis: false,
    }
}

/// Copies a configuration file, with each `{name}` replaced by its value.
fn fill(template: &Path, values: &[(&str, &str)], to: &Path) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(template)?;
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    std::fs::write(to, text)?;
    Ok(())
}

/// The message for a peer that is not installed.
fn missing(what: &str, name: &str) -> String {
    format!("{what} is missing: ./dev bench --install {name}")
}
