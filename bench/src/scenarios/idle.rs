//! What connections cost on which nothing happens.

use std::time::Duration;

use crate::budget::{Budget, Rule};
use crate::clients::{Clients, ConnectOptions};
use crate::peer::Peer;
use crate::peers::{PeerName, chatpush};
use crate::plot::Chart;
use crate::scenarios::{Bench, CpuMeter, Outcome};
use crate::usage;

const RESIDENT: &str = "memory per connection";
const KERNEL: &str = "kernel memory per connection, both ends";

/// What the system uses for connections.
pub(super) struct ConnectionCost {
    /// Resident bytes of the servers, each.
    pub(super) resident: f64,
    /// Bytes of the kernel for both ends, each.
    kernel: f64,
    /// Processor seconds of servers and Redis per second and 10,000 connections.
    processor: f64,
    /// Connections that the servers closed meanwhile.
    gone: usize,
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
    outcome.budgets = vec![Budget { metric: RESIDENT, rule: Rule::AtMost(8.0), goal: 5.0 }];
    if let Some(metric) = outcome.metrics.get(RESIDENT) {
        let bars = Chart::bars("Memory of the server per idle connection", metric);
        outcome.charts.push(("idle".to_owned(), bars));
    }
    Ok(outcome)
}

/// Connects so many clients and looks at what that takes.
pub(super) fn measure_connections(
    bench: &Bench<'_>,
    peer: &Peer,
    connections: u32,
    rest: Duration,
) -> anyhow::Result<ConnectionCost> {
    let pids = peer.pids();
    // The first connections bring what is needed once; it is not theirs.
    drop(Clients::connect(&peer.connect_specs(1..=50), ConnectOptions::default())?);
    let kernel = || usage::socket_buffers() + usage::socket_records();
    let before = (usage::memory(&pids), kernel());
    let mut clients = Clients::connect(&peer.connect_specs(1..=connections), ConnectOptions::default())?;
    let count = f64::from(connections);
    let meter = CpuMeter::start(peer, bench.env);
    std::thread::sleep(rest);
    let used = meter.read();
    let after = (usage::memory(&pids), kernel());
    Ok(ConnectionCost {
        resident: (after.0 - before.0) / count,
        kernel: (after.1 - before.1) / count,
        processor: (used.0 + used.1) / rest.as_secs_f64() / count * 10_000.0,
        gone: clients.progress()?.gone,
    })
}

fn note(outcome: &mut Outcome, title: &str, cost: &ConnectionCost) {
    let metrics = &mut outcome.metrics;
    metrics.record(RESIDENT, "KiB", title, cost.resident / 1024.0);
    metrics.record(KERNEL, "KiB", title, cost.kernel / 1024.0);
    metrics.record("CPU per second and 10,000 connections", "ms", title, cost.processor * 1_000.0);
    metrics.record("closed by the server", "", title, cost.gone as f64);
}
