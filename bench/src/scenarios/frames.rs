//! Latency from the PHP call to the client's frame: 1,000 users, at three rates, in an open loop.

use std::time::Duration;

use crate::bench_env::BenchEnv;
use crate::budget::{Budget, Rule};
use crate::clients::{Clients, Received};
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::publisher::{CallResults, OpenLoop};
use crate::scenarios::{Bench, CONTENT_BYTES, CpuMeter, IDLE_TIMEOUT, Outcome};

const USERS: u32 = 1_000;
/// Messages per second.
const RATES: [u32; 3] = [200, 1_000, 5_000];

/// The results of one open loop.
pub(super) struct DeliveryResult {
    pub(super) called: CallResults,
    pub(super) received: Received,
    /// CPU seconds of the servers and of Redis.
    pub(super) used: (f64, f64),
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let seconds = bench.choose(10, 1);
    let rates: &[u32] = bench.choose(&RATES, &[1_000]);
    bench.run_rounds(
        &mut outcome,
        |_| true,
        |name, outcome| {
            let (peer, mut clients) = bench.start_connected(name, USERS)?;
            for rate in rates.iter().copied() {
                let delivered = deliver(bench.env, &peer, &mut clients, USERS, rate, rate * seconds)?;
                note(outcome, name, rate, &delivered);
            }
            Ok(())
        },
    );
    outcome.budgets = vec![
        Budget { metric: "1000/s, p50", rule: Rule::AtMostAbove(60.0, "floor"), goal: 40.0 },
        Budget { metric: "1000/s, p50", rule: Rule::AtMostTimes(1.0, "nchan"), goal: 1.0 },
    ];
    Ok(outcome)
}

/// Publishes to connected users in an open loop, after a warm-up.
pub(super) fn deliver(
    env: &BenchEnv,
    peer: &Peer,
    clients: &mut Clients,
    users: u32,
    rate: u32,
    messages: u32,
) -> anyhow::Result<DeliveryResult> {
    let load = OpenLoop { first_user: 1, users, rate, messages, content_bytes: CONTENT_BYTES, publisher: 0 };
    let warm = OpenLoop { messages: rate / 2, ..load };
    let called = warm.start(&peer.php)?.run()?;
    clients.settle(called.accepted(), Duration::from_secs(1))?;
    clients.report()?;

    let publishers = load.start(&peer.php)?;
    let meter = CpuMeter::start(peer, env);
    let called = publishers.run()?;
    clients.settle(called.accepted(), IDLE_TIMEOUT)?;
    let used = meter.read();
    Ok(DeliveryResult { called, received: clients.report()?, used })
}

fn note(outcome: &mut Outcome, name: PeerName, rate: u32, delivered: &DeliveryResult) {
    let DeliveryResult { called, received, used } = delivered;
    let (what, title) = (format!("{rate}/s"), name.live_title());
    outcome.record_percentiles(&what, title, &received.intended, &[50.0, 99.0, 99.9]);
    outcome.record_percentiles(&format!("{what}, from the call"), title, &received.called, &[50.0]);
    let scale = 100_000.0 / received.counts.received.max(1) as f64;
    let metrics = &mut outcome.metrics;
    if name != PeerName::Baseline {
        metrics.record(&format!("{what}, CPU per 100,000"), "s", title, used.0 * scale);
    }
    metrics.record(&format!("{what}, Redis CPU per 100,000"), "s", title, used.1 * scale);
    let counts = received.counts;
    metrics.record(&format!("{what}, lost"), "", title, counts.lost(called.accepted()) as f64);
    let faults = counts.faults() + called.refused;
    metrics.record(&format!("{what}, duplicated, reordered, misrouted or refused"), "", title, faults as f64);
    let caption = format!("Latency from the scheduled time to the client's frame: {USERS} users, {what}");
    outcome.add_curve(&format!("frames-{rate}"), &caption, title, &received.intended);
}
