//! The scenarios, and what they share.

pub mod calls;
pub mod frames;
pub mod flood;
pub mod stores;
pub mod idle;
pub mod crowd;
pub mod growth;
pub mod stalled;
pub mod many;
pub mod presence;
pub mod options;
pub mod due;

use std::time::Duration;

use clap::ValueEnum;

use crate::bench_env::BenchEnv;
use crate::budget::Budget;
use crate::clients::{Clients, ConnectOptions};
use crate::counts::CountTable;
use crate::latency::LatencyHistogram;
use crate::metrics::Metrics;
use crate::paired::PairedRatios;
use crate::peer::{Peer, Php};
use crate::peers::PeerName;
use crate::plot::Chart;
use crate::publisher::{CallResults, ClosedLoop};
use crate::usage;

/// A scenario. The comments are its help text and its title in reports.
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
    /// How long a PHP call to 10, 100 and 1,000 receivers takes
    Many,
    /// Users with 200 peers each, some of whom come and go
    Presence,
    /// What `notify.after`, counters of conversations and a history cost a store
    Options,
    /// What it costs that 100,000 users are due, or that 100,000 messages of one user wait
    Due,
}

/// What a scenario works with.
pub struct Bench<'a> {
    /// The shared environment.
    pub env: &'a BenchEnv,
    /// The peers to measure, chatpush first.
    pub peers: &'a [PeerName],
    /// How often each peer is measured.
    pub rounds: u32,
    /// Whether this is a short run that only checks that everything works.
    pub quick: bool,
}

/// The results of a scenario.
#[derive(Default)]
pub struct Outcome {
    /// The measured values.
    pub metrics: Metrics,
    /// Plots by file name, without `.svg`.
    pub charts: Vec<(String, Chart)>,
    /// Budgets for the metrics.
    pub budgets: Vec<Budget>,
    /// What something costs, by pairs.
    pub paired: Vec<PairedRatios>,
    /// Tables of counts.
    pub counts: Vec<CountTable>,
    /// Remarks below the table, such as a peer's failure.
    pub notes: Vec<String>,
    /// A CPU profile.
    pub profile: Option<String>,
}

impl Scenario {
    /// Its name on the command line, with which the names of its result files start.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Its title.
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
            Self::Many => many::run(bench),
            Self::Presence => presence::run(bench),
            Self::Options => options::run(bench),
            Self::Due => due::run(bench),
        }
    }
}

impl Bench<'_> {
    /// Returns `full`, or `quick` with `--quick`.
    pub const fn choose<T: Copy>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Starts a peer and connects the clients of users 1 to `users`.
    fn start_connected(&self, name: PeerName, users: u32) -> anyhow::Result<(Peer, Clients)> {
        let peer = name.start(self.env)?;
        let clients = Clients::connect(&peer.connect_specs(1..=users), ConnectOptions::default())?;
        Ok((peer, clients))
    }

    /// Measures the peers for which `includes` is true once per round, every other round in the opposite
    /// order. A peer that fails is left out from then on, with a note in the outcome.
    pub fn run_rounds(
        &self,
        outcome: &mut Outcome,
        includes: impl Fn(PeerName) -> bool,
        mut measure: impl FnMut(PeerName, &mut Outcome) -> anyhow::Result<()>,
    ) {
        let mut peers: Vec<PeerName> = self.peers.iter().copied().filter(|name| includes(*name)).collect();
        for round in 0..self.rounds {
            for name in peers.clone() {
                eprintln!("  round {}: {}", round + 1, name.title());
                if let Err(error) = measure(name, outcome) {
                    let note = format!("{} failed and is left out: {error:#}", name.title());
                    eprintln!("  {note}");
                    outcome.notes.push(note);
                    peers.retain(|other| *other != name);
                }
            }
            peers.reverse();
        }
    }
}

impl Outcome {
    /// Records some percentiles of latencies.
    fn record_percentiles(&mut self, what: &str, peer: &str, latencies: &LatencyHistogram, percents: &[f64]) {
        for percent in percents {
            let name = format!("{what}, p{percent}");
            self.metrics.record(&name, "µs", peer, latencies.percentile(*percent));
        }
    }

    /// Adds latencies to a peer's curve in a percentile chart, which is created if it does not exist.
    fn add_curve(&mut self, file: &str, title: &str, peer: &str, latencies: &LatencyHistogram) {
        let at = self.charts.iter().position(|(name, _)| name == file).unwrap_or_else(|| {
            self.charts.push((file.to_owned(), Chart::percentiles(title)));
            self.charts.len() - 1
        });
        self.charts[at].1.add_latencies(peer, latencies);
    }
}

/// One process calls `call` for the users `first_user` and following, in a closed loop.
fn call_repeatedly(
    php: &Php,
    call: &str,
    (first_user, users): (u32, u32),
    calls: u32,
    warmup: u32,
) -> anyhow::Result<CallResults> {
    let load = ClosedLoop {
        call,
        callers: 1,
        first_user,
        users,
        calls,
        content_bytes: CONTENT_BYTES,
        warmup,
        ..ClosedLoop::default()
    };
    load.start(php)?.run()
}

/// Measures the CPU seconds that a peer's servers and Redis use between start and read.
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

    /// CPU seconds since the start: of the servers, and of Redis.
    fn read(&self) -> (f64, f64) {
        let redis = self.redis.map_or(0.0, |pid| usage::cpu_seconds(&[pid]));
        (usage::cpu_seconds(&self.pids) - self.servers_before, redis - self.redis_before)
    }
}

/// If no message arrives for this long, the missing ones count as lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Length of a content in bytes: a line of chat.
const CONTENT_BYTES: u32 = 128;
