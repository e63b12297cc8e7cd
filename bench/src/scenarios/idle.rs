//! Memory and CPU time of idle connections.

use std::time::Duration;

use crate::budget::{Budget, Rule};
use crate::clients::{Clients, ConnectOptions};
use crate::peer::Peer;
use crate::peers::{PeerName, chatpush};
use crate::plot::Chart;
use crate::scenarios::{Bench, CpuMeter, Outcome};
use crate::usage;

const MEMORY: &str = "memory per connection";
const KERNEL: &str = "kernel memory per connection, both ends";

/// The resources that connections use.
pub(super) struct ConnectionCost {
    /// Memory of the servers per connection, in bytes.
    pub(super) memory: f64,
    /// Kernel memory for both ends per connection, in bytes.
    kernel: f64,
    /// CPU seconds of the servers and Redis per second and 10,000 connections.
    cpu: f64,
    /// Connections that the servers closed.
    closed: usize,
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let connections = bench.choose(15_000, 1_000);
    let rest = Duration::from_secs(bench.choose(30, 2));
    bench.run_rounds(
        &mut outcome,
        |name| name != PeerName::Baseline,
        |name, outcome| {
            let peer = name.start(bench.env)?;
            note(outcome, name.title(), &measure_connections(bench, &peer, connections, rest)?);
            Ok(())
        },
    );
    if bench.peers.contains(&PeerName::Chatpush) {
        let peer = chatpush::start_daemons(bench.env, 4)?;
        let cost = measure_connections(bench, &peer, connections * 4, rest)?;
        note(&mut outcome, &format!("chatpush, {} over four daemons", connections * 4), &cost);
    }
    outcome.notes.push(format!("{connections} connections, unless the row names another number"));
    outcome.budgets = vec![Budget { metric: MEMORY, rule: Rule::AtMost(8.0), goal: 5.0 }];
    if let Some(metric) = outcome.metrics.get(MEMORY) {
        let bars = Chart::bars("Memory of the server per idle connection", metric);
        outcome.charts.push(("idle".to_owned(), bars));
    }
    Ok(outcome)
}

/// Connects the clients and measures what they cost while they rest.
pub(super) fn measure_connections(
    bench: &Bench<'_>,
    peer: &Peer,
    connections: u32,
    rest: Duration,
) -> anyhow::Result<ConnectionCost> {
    let pids = peer.pids();
    // The first connections make the servers allocate what they need only once.
    drop(Clients::connect(&peer.connect_specs(1..=50), ConnectOptions::default())?);
    let kernel = || usage::socket_buffers() + usage::socket_structures();
    let before = (usage::memory(&pids), kernel());
    let mut clients = Clients::connect(&peer.connect_specs(1..=connections), ConnectOptions::default())?;
    let count = f64::from(connections);
    let meter = CpuMeter::start(peer, bench.env);
    std::thread::sleep(rest);
    let used = meter.read();
    let after = (usage::memory(&pids), kernel());
    Ok(ConnectionCost {
        memory: (after.0 - before.0) / count,
        kernel: (after.1 - before.1) / count,
        cpu: (used.0 + used.1) / rest.as_secs_f64() / count * 10_000.0,
        closed: clients.progress()?.failed,
    })
}

fn note(outcome: &mut Outcome, title: &str, cost: &ConnectionCost) {
    let metrics = &mut outcome.metrics;
    metrics.record(MEMORY, "KiB", title, cost.memory / 1024.0);
    metrics.record(KERNEL, "KiB", title, cost.kernel / 1024.0);
    metrics.record("CPU per second and 10,000 connections", "ms", title, cost.cpu * 1_000.0);
    metrics.record("closed by the server", "", title, cost.closed as f64);
}
