//! Fan-in: PHP workers send as fast as their calls return, to 1,000 users.

use std::time::Duration;

use crate::bench_env::BenchEnv;
use crate::crowd::{Crowd, Manner, Seen};
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::plot::Chart;
use crate::profile::Profile;
use crate::publisher::{Called, Repeat};
use crate::scenarios::{Bench, IDLE_TIMEOUT, Meter, Outcome, SIZE};
use crate::usage;
use crate::verdict::{Budget, Rule};

const USERS: u32 = 1_000;
/// PHP workers: more than a small machine has cores, so that Redis or the server is what is full.
const WORKERS: u32 = 6;

const DELIVERIES: &str = "deliveries";
const PROCESSOR: &str = "processor per 100,000";

/// What came of one flood.
pub(super) struct Flooded {
    pub(super) called: Called,
    pub(super) seen: Seen,
    /// Processor seconds of the servers and of Redis.
    pub(super) used: (f64, f64),
    /// Of the clients.
    clients: f64,
    /// From the first call to the last frame, in seconds.
    pub(super) seconds: f64,
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let time = Duration::from_secs(bench.choose(10, 1));
    bench.in_turn(
        &mut outcome,
        |_| true,
        |name, outcome| {
            let peer = name.start(bench.env)?;
            let mut crowd = Crowd::connect(&peer.connect_specs(1..=USERS), Manner::default())?;
            let flooded = flood(bench.env, &peer, &mut crowd, WORKERS, 0, time)?;
            note(outcome, name, &flooded);
            Ok(())
        },
    );
    if bench.peers.contains(&PeerName::Chatpush) {
        outcome.profile = profile(bench, time)?;
    }
    outcome.budgets = vec![
        Budget { measure: PROCESSOR, rule: Rule::AtMost(2.0), goal: 1.4 },
        Budget { measure: "lost", rule: Rule::AtMost(0.0), goal: 0.0 },
    ];
    for (file, title, measure) in [
        ("flood-deliveries", "Deliveries per second under flood", DELIVERIES),
        ("flood-processor", "Processor seconds of the server per 100,000 deliveries under flood", PROCESSOR),
    ] {
        let bars = outcome.figures.measure(measure).map(|measure| Chart::bars(title, measure));
        outcome.charts.extend(bars.map(|bars| (file.to_owned(), bars)));
    }
    Ok(outcome)
}

/// Has PHP workers send for some time, or so many calls each.
pub(super) fn flood(
    env: &BenchEnv,
    peer: &Peer,
    crowd: &mut Crowd,
    workers: u32,
    calls: u32,
    time: Duration,
) -> anyhow::Result<Flooded> {
    let repeat =
        Repeat { call: "push", callers: workers, first: 1, users: USERS, calls, time, size: SIZE, warm: 50 };
    let publishers = repeat.start(&peer.php)?;
    crowd.report()?;
    let clients = usage::processor(&crowd.pids());
    let meter = Meter::start(peer, env);
    let called = publishers.run()?;
    crowd.settle(called.accepted(), IDLE_TIMEOUT)?;
    let used = meter.read();
    let clients = usage::processor(&crowd.pids()) - clients;
    let seen = crowd.report()?;
    let seconds = seen.latest.max(called.ended).saturating_sub(called.began) as f64 / 1e9;
    Ok(Flooded { called, seen, used, clients, seconds })
}

fn note(outcome: &mut Outcome, name: PeerName, flooded: &Flooded) {
    let Flooded { called, seen, used, clients, seconds } = flooded;
    let (title, counts) = (name.live_title(), seen.counts);
    let scale = 100_000.0 / counts.received.max(1) as f64;
    let figures = &mut outcome.figures;
    figures.note(DELIVERIES, "/s", title, counts.received as f64 / seconds);
    if name != PeerName::Baseline {
        figures.note(PROCESSOR, "s", title, used.0 * scale);
        figures.note("server's share of a core", "", title, used.0 / seconds);
    }
    figures.note("Redis' processor per 100,000", "s", title, used.1 * scale);
    figures.note("Redis' share of a core", "", title, used.1 / seconds);
    figures.note("clients' share of a core", "", title, clients / seconds);
    figures.note("lost", "", title, counts.lost(called.accepted()) as f64);
    let wrong = counts.doubled + counts.swapped + counts.astray;
    figures.note("doubled, swapped or astray", "", title, wrong as f64);
    figures.note("refused", "", title, called.refused as f64);
}

/// One flood more, with perf at the daemon and at Redis.
fn profile(bench: &Bench<'_>, time: Duration) -> anyhow::Result<Option<String>> {
    let peer = PeerName::Chatpush.start(bench.env)?;
    let mut crowd = Crowd::connect(&peer.connect_specs(1..=USERS), Manner::default())?;
    let mut pids = peer.pids();
    pids.push(bench.env.redis_pid());
    let profile = Profile::start(&bench.env.new_folder("profile")?, &pids);
    flood(bench.env, &peer, &mut crowd, WORKERS, 0, time)?;
    Ok(profile.and_then(Profile::finish))
}
