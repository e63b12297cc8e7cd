//! What is measured.

pub mod calls;
pub mod frames;
pub mod flood;
pub mod stores;
pub mod idle;
pub mod crowd;
pub mod growth;
pub mod stalled;

use std::time::Duration;

use clap::ValueEnum;

use crate::bench_env::BenchEnv;
use crate::budget::Budget;
use crate::latency::LatencyHistogram;
use crate::metrics::Metrics;
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::plot::Chart;
use crate::usage;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// How long a PHP call takes, on the command line and in PHP-FPM
    Calls,
    /// Latency from the PHP call to the client's frame, at three rates
    Frames,
    /// PHP sends as fast as it can: throughput, CPU time, loss
    Flood,
    /// Stores per second, with 1 to 64 callers
    Stores,
    /// Memory and CPU time of idle connections
    Idle,
    /// Thousands of users reconnect at once, each with stored messages
    Crowd,
    /// Cost per unit of work at 1, 4 and 16 times the work
    Growth,
    /// Latency of other clients while some clients never read
    Stalled,
}

/// What a scenario works with.
pub struct Bench<'a> {
    /// The shared servers.
    pub env: &'a BenchEnv,
    /// Who takes part, the product first.
    pub peers: &'a [PeerName],
    /// How often each has its turn.
    pub rounds: u32,
    /// Whether it is only to be seen that everything works.
    pub quick: bool,
}

/// What came of a scenario.
#[derive(Default)]
pub struct Outcome {
    /// What was measured.
    pub metrics: Metrics,
    /// How it looks.
    pub charts: Vec<(String, Chart)>,
    /// What it is held against.
    pub budgets: Vec<Budget>,
    /// What else is to be said: who failed, and why.
    pub notes: Vec<String>,
    /// A profile of where the time goes.
    pub profile: Option<String>,
}

impl Scenario {
    /// Its name on the command line, and the beginning of its files.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// What it shows.
    pub fn title(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// Runs it.
    pub fn run(self, bench: &Bench<'_>) -> anyhow::Result<Outcome> {
        match self {
            Self::Calls => calls::run(bench),
            Self::Frames => frames::run(bench),
            Self::Flood => flood::run(bench),
            Self::Stores => stores::run(bench),
            Self::Idle => idle::run(bench),
            Self::Crowd => crowd::run(bench),
            Self::Growth => growth::run(bench),
            Self::Stalled => stalled::run(bench),
        }
    }
}

impl Bench<'_> {
    /// One value for the real thing, another for a quick look.
    pub const fn choose<T: Copy>(&self, real: T, quick: T) -> T {
        if self.quick { quick } else { real }
    }

    /// Gives each of the peers that `wanted` lets in its turn, round by round, every other round in the opposite
    /// order. One that fails is left out from then on, and the outcome says so.
    pub fn run_rounds(
        &self,
        outcome: &mut Outcome,
        wanted: impl Fn(PeerName) -> bool,
        mut turn: impl FnMut(PeerName, &mut Outcome) -> anyhow::Result<()>,
    ) {
        let mut peers: Vec<PeerName> = self.peers.iter().copied().filter(|peer| wanted(*peer)).collect();
        for round in 0..self.rounds {
            for peer in peers.clone() {
                eprintln!("  round {}: {}", round + 1, peer.title());
                if let Err(error) = turn(peer, outcome) {
                    let note = format!("{} failed and is left out: {error:#}", peer.title());
                    eprintln!("  {note}");
                    outcome.notes.push(note);
                    peers.retain(|other| *other != peer);
                }
            }
            peers.reverse();
        }
    }
}

impl Outcome {
    /// Notes the usual percentiles of some latencies.
    fn record_percentiles(&mut self, what: &str, peer: &str, latencies: &LatencyHistogram, percents: &[f64]) {
        for percent in percents {
            let name = format!("{what}, p{percent}");
            self.metrics.record(&name, "µs", peer, latencies.percentile(*percent));
        }
    }

    /// Adds latencies to the curve of a peer in a chart of percentiles, which is begun if it is new.
    fn add_curve(&mut self, file: &str, title: &str, peer: &str, latencies: &LatencyHistogram) {
        let at = self.charts.iter().position(|(name, _)| name == file).unwrap_or_else(|| {
            self.charts.push((file.to_owned(), Chart::percentiles(title)));
            self.charts.len() - 1
        });
        self.charts[at].1.add_latencies(peer, latencies);
    }
}

/// Processor seconds that a peer's servers and Redis use while something runs.
struct CpuMeter {
    pids: Vec<u32>,
    redis: Option<u32>,
    servers_before: f64,
    redis_before: f64,
}

impl CpuMeter {
    fn start(peer: &Peer, env: &BenchEnv) -> Self {
        let pids = peer.pids();
        let redis = peer.uses_redis.then(|| env.redis_pid());
        let servers_before = usage::cpu_seconds(&pids);
        let redis_before = redis.map_or(0.0, |pid| usage::cpu_seconds(&[pid]));
        Self { pids, redis, servers_before, redis_before }
    }

    /// Of the servers and of Redis.
    fn read(&self) -> (f64, f64) {
        let redis = self.redis.map_or(0.0, |pid| usage::cpu_seconds(&[pid]));
        (usage::cpu_seconds(&self.pids) - self.servers_before, redis - self.redis_before)
    }
}

/// How long nothing may come before what is missing counts as lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a content: a line of chat.
const CONTENT_BYTES: u32 = 128;
