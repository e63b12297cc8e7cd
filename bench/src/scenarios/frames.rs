//! From the PHP call to the client's frame: 1,000 users, three rates, by a timetable.

use std::time::Duration;

use crate::bench_env::BenchEnv;
use crate::crowd::{Crowd, Manner, Seen};
use crate::peer::Peer;
use crate::peers::PeerName;
use crate::publisher::{Called, Timetable};
use crate::scenarios::{Bench, IDLE_TIMEOUT, Meter, Outcome, SIZE};
use crate::verdict::{Budget, Rule};

const USERS: u32 = 1_000;
/// Messages a second.
const RATES: [u32; 3] = [200, 1_000, 5_000];

/// What came of one timetable.
pub(super) struct Delivered {
    pub(super) called: Called,
    pub(super) seen: Seen,
    /// Processor seconds of the servers and of Redis.
    pub(super) used: (f64, f64),
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let seconds = bench.choose(10, 1);
    let rates: &[u32] = bench.choose(&RATES, &[1_000]);
    bench.in_turn(
        &mut outcome,
        |_| true,
        |name, outcome| {
            let peer = name.start(bench.env)?;
            let mut crowd = Crowd::connect(&peer.connect_specs(1..=USERS), Manner::default())?;
            for rate in rates.iter().copied() {
                let delivered = deliver(bench.env, &peer, &mut crowd, USERS, rate, rate * seconds)?;
                note(outcome, name, rate, &delivered);
            }
            Ok(())
        },
    );
    outcome.budgets = vec![
        Budget { measure: "1000/s, p50", rule: Rule::AtMostAbove(60.0, "floor"), goal: 40.0 },
        Budget { measure: "1000/s, p50", rule: Rule::AtMostTimes(1.0, "nchan"), goal: 1.0 },
    ];
    Ok(outcome)
}

/// Publishes by a timetable to users who are connected, after a little that does not count.
pub(super) fn deliver(
    env: &BenchEnv,
    peer: &Peer,
    crowd: &mut Crowd,
    users: u32,
    rate: u32,
    messages: u32,
) -> anyhow::Result<Delivered> {
    let timetable = Timetable { first: 1, users, rate, messages, size: SIZE, publisher: 0 };
    let warm = Timetable { messages: rate / 2, ..timetable };
    let called = warm.start(&peer.php)?.run()?;
    crowd.settle(called.accepted(), Duration::from_secs(1))?;
    crowd.report()?;

    let publishers = timetable.start(&peer.php)?;
    let meter = Meter::start(peer, env);
    let called = publishers.run()?;
    crowd.settle(called.accepted(), IDLE_TIMEOUT)?;
    let used = meter.read();
    Ok(Delivered { called, seen: crowd.report()?, used })
}

fn note(outcome: &mut Outcome, name: PeerName, rate: u32, delivered: &Delivered) {
    let Delivered { called, seen, used } = delivered;
    let (what, title) = (format!("{rate}/s"), name.live_title());
    outcome.note_delays(&what, title, &seen.intended, &[50.0, 99.0, 99.9]);
    outcome.note_delays(&format!("{what}, from the call"), title, &seen.called, &[50.0]);
    let scale = 100_000.0 / seen.counts.received.max(1) as f64;
    let figures = &mut outcome.figures;
    if name != PeerName::Baseline {
        figures.note(&format!("{what}, processor per 100,000"), "s", title, used.0 * scale);
    }
    figures.note(&format!("{what}, Redis' processor per 100,000"), "s", title, used.1 * scale);
    let counts = seen.counts;
    figures.note(&format!("{what}, lost"), "", title, counts.lost(called.accepted()) as f64);
    let wrong = counts.doubled + counts.swapped + counts.astray + called.refused;
    figures.note(&format!("{what}, doubled, swapped, astray or refused"), "", title, wrong as f64);
    let caption = format!("From PHP's timetable to the client's frame: {USERS} users, {what}");
    outcome.add_curve(&format!("frames-{rate}"), &caption, title, &seen.intended);
}
