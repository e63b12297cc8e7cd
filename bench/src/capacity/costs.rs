//! What a unit of work costs, from the results in `docs/bench`.

use anyhow::Context as _;
use chatpush_stack::artifacts;
use serde::{Deserialize, Serialize};

use crate::metrics::Spread;

/// The rows of `presence` watch so many users each.
const WATCHED: f64 = 200.0;

/// Processor time in microseconds and memory in bytes, each the median of a benchmark.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Costs {
    /// A stored message, of the daemon that writes.
    pub(super) row_daemon: f64,
    /// Of Redis.
    pub(super) row_redis: f64,
    /// Of MySQL.
    pub(super) row_mysql: f64,
    /// A frame to a client, of its daemon.
    pub(super) frame_daemon: f64,
    /// Of Redis.
    pub(super) frame_redis: f64,
    /// An idle connection, in a second.
    pub(super) idle: f64,
    /// A user who comes or goes, of a daemon, for each connection that watches them.
    pub(super) change_daemon: f64,
    /// Of Redis, whoever watches.
    pub(super) change_redis: f64,
    /// A connection, of the daemon and the kernel.
    pub(super) connection_bytes: f64,
    /// A user that a connection watches.
    pub(super) watched_bytes: f64,
}

#[derive(Deserialize)]
struct Results {
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    peers: Vec<(String, Vec<f64>)>,
}

impl Costs {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When a result is missing.
    pub(super) fn read() -> anyhow::Result<Self> {
        let stores = Results::of("stores")?;
        let frames = Results::of("frames")?;
        let idle = Results::of("idle")?;
        let presence = Results::of("presence")?;
        // Seconds for 100,000 frames.
        let frame = |name| frames.median(name).map(|seconds| seconds * 1e6 / 100_000.0);
        let kernel = idle.median("kernel memory per connection, both ends")? / 2.0;
        Ok(Self {
            row_daemon: stores.median("16 callers, CPU per row: daemon")?,
            row_redis: stores.median("16 callers, CPU per row: Redis")?,
            row_mysql: stores.median("16 callers, CPU per row: MariaDB")?,
            frame_daemon: frame("1000/s, CPU per 100,000")?,
            frame_redis: frame("1000/s, Redis CPU per 100,000")?,
            // Milliseconds for 10,000 connections.
            idle: idle.median("CPU per second and 10,000 connections")? / 10.0,
            change_daemon: presence.median("CPU time of the daemon per change")? / WATCHED,
            change_redis: presence.median("CPU time of Redis per change")?,
            connection_bytes: (idle.median("memory per connection")? + kernel) * 1024.0,
            watched_bytes: presence.median("memory per connection for 200 peers")? * 1024.0 / WATCHED,
        })
    }
}

impl Results {
    fn of(scenario: &str) -> anyhow::Result<Self> {
        let path = artifacts::root().join(format!("docs/bench/{scenario}.json"));
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a result of ./dev bench", path.display()))
    }

    /// The median of chatpush.
    fn median(&self, name: &str) -> anyhow::Result<f64> {
        let metric = self.metrics.iter().find(|metric| metric.name == name);
        let values = metric.and_then(|metric| metric.peers.iter().find(|(peer, _)| peer == "chatpush"));
        let spread = values.and_then(|(_, values)| Spread::of(values));
        Ok(spread.with_context(|| format!("docs/bench has no {name:?}: run ./dev bench"))?.median)
    }
}
