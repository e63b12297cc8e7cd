//! PHP workers push to 1,000 users in a closed loop, as fast as their calls return.

use std::time::Duration;

use crate::bench_env::BenchEnv;
use crate::budget::{Budget, Rule};
use crate::clients::{Clients, Received};
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::plot::Chart;
use crate::profile::Profile;
use crate::publisher::{CallResults, ClosedLoop};
use crate::scenarios::{Bench, CONTENT_BYTES, CpuMeter, IDLE_TIMEOUT, Outcome};
use crate::usage;

const USERS: u32 = 1_000;
/// PHP workers: more than a small machine has CPUs, so that Redis or the server is the bottleneck.
const WORKERS: u32 = 6;

const DELIVERIES: &str = "deliveries";
const CPU: &str = "CPU per 100,000";

/// The results of one flood.
pub(super) struct FloodResult {
    pub(super) called: CallResults,
    pub(super) received: Received,
    /// CPU seconds of the servers and of Redis.
    pub(super) used: (f64, f64),
    /// CPU seconds of the clients.
    clients_cpu: f64,
    /// From the first call to the last frame, in seconds.
    pub(super) seconds: f64,
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let duration = Duration::from_secs(bench.choose(10, 1));
    bench.run_rounds(
        &mut outcome,
        |_| true,
        |name, outcome| {
            let (peer, mut clients) = bench.start_connected(name, USERS)?;
            let flooded = flood(bench.env, &peer, &mut clients, WORKERS, 0, duration)?;
            note(outcome, name, &flooded);
            Ok(())
        },
    );
    if bench.peers.contains(&PeerName::Chatpush) {
        outcome.profile = profile(bench, duration)?;
    }
    outcome.budgets = vec![
        Budget { metric: CPU, rule: Rule::AtMost(2.0), goal: 1.4 },
        Budget { metric: "lost", rule: Rule::AtMost(0.0), goal: 0.0 },
    ];
    for (file, title, metric) in [
        ("flood-deliveries", "Deliveries per second under flood", DELIVERIES),
        ("flood-cpu", "CPU seconds of the server per 100,000 deliveries under flood", CPU),
    ] {
        let bars = outcome.metrics.get(metric).map(|metric| Chart::bars(title, metric));
        outcome.charts.extend(bars.map(|bars| (file.to_owned(), bars)));
    }
    Ok(outcome)
}

/// Floods for `duration`, or with `calls` calls per worker; 0 means no limit.
pub(super) fn flood(
    env: &BenchEnv,
    peer: &Peer,
    clients: &mut Clients,
    workers: u32,
    calls: u32,
    duration: Duration,
) -> anyhow::Result<FloodResult> {
    let load = ClosedLoop {
        call: "push",
        callers: workers,
        first_user: 1,
        users: USERS,
        calls,
        duration,
        content_bytes: CONTENT_BYTES,
        warmup: 50,
    };
    let publishers = load.start(&peer.php)?;
    clients.report()?;
    let clients_before = usage::cpu_seconds(&clients.pids());
    let meter = CpuMeter::start(peer, env);
    let called = publishers.run()?;
    clients.settle(called.accepted(), IDLE_TIMEOUT)?;
    let used = meter.read();
    let clients_cpu = usage::cpu_seconds(&clients.pids()) - clients_before;
    let received = clients.report()?;
    let seconds = received.latest.max(called.ended).saturating_sub(called.began) as f64 / 1e9;
    Ok(FloodResult { called, received, used, clients_cpu, seconds })
}

fn note(outcome: &mut Outcome, name: PeerName, flooded: &FloodResult) {
    let FloodResult { called, received, used, clients_cpu, seconds } = flooded;
    let (title, counts) = (name.live_title(), received.counts);
    let scale = 100_000.0 / counts.received.max(1) as f64;
    let metrics = &mut outcome.metrics;
    metrics.record(DELIVERIES, "/s", title, counts.received as f64 / seconds);
    if name != PeerName::Baseline {
        metrics.record(CPU, "s", title, used.0 * scale);
        metrics.record("server's share of a core", "", title, used.0 / seconds);
    }
    metrics.record("Redis CPU per 100,000", "s", title, used.1 * scale);
    metrics.record("Redis' share of a core", "", title, used.1 / seconds);
    metrics.record("clients' share of a core", "", title, clients_cpu / seconds);
    metrics.record("lost", "", title, counts.lost(called.accepted()) as f64);
    metrics.record("duplicated, reordered or misrouted", "", title, counts.faults() as f64);
    metrics.record("refused", "", title, called.refused as f64);
}

/// Floods chatpush once more, with perf recording the daemon and Redis.
fn profile(bench: &Bench<'_>, duration: Duration) -> anyhow::Result<Option<String>> {
    let (peer, mut clients) = bench.start_connected(PeerName::Chatpush, USERS)?;
    let mut pids = peer.pids();
    pids.push(bench.env.redis_pid());
    let profile = Profile::start(&bench.env.new_folder("profile")?, &pids);
    flood(bench.env, &peer, &mut clients, WORKERS, 0, duration)?;
    Ok(profile.and_then(Profile::finish))
}
