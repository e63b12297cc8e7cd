//! The peers: how each is found, installed, and started as its documentation advises.

pub mod chatpush;
pub mod baseline;
pub mod nchan;
pub mod socket_io;
pub mod centrifugo;
pub mod sockudo;
pub mod gateway_worker;

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::bench_env::BenchEnv;
use crate::cache::Cache;
use crate::peer::Peer;

/// Whose figures stand beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerName {
    /// The product.
    Chatpush,
    /// phpredis and PDO, and a bare subscriber of Redis where a daemon would be: the floor.
    Baseline,
    /// nchan in one worker of nginx.
    Nchan,
    /// nchan in two workers.
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
    /// All of them, the product first.
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

    /// As tables call it.
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

    /// As tables call it where it is what nothing can be faster than.
    pub const fn live_title(self) -> &'static str {
        match self {
            Self::Baseline => "floor",
            other => other.title(),
        }
    }

    /// Its version, if it is installed.
    ///
    /// # Errors
    ///
    /// What is missing and how to get it.
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

    /// Fetches and builds it into the cache.
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

/// Writes a configuration with `{name}` replaced by values.
fn fill(template: &Path, values: &[(&str, &str)], to: &Path) -> anyhow::Result<()> {
    let mut text = std::fs::read_to_string(template)?;
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    std::fs::write(to, text)?;
    Ok(())
}

/// What to say of a peer that is not there.
fn missing(what: &str, name: &str) -> String {
    format!("{what} is missing: ./dev bench --install {name}")
}
