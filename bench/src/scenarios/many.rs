//! How long a PHP call to many receivers takes, beside a call for each of them.

use anyhow::ensure;

use crate::budget::{Budget, Rule};
use crate::latency::LatencyHistogram;
use crate::peer::Php;
use crate::peers::PeerName;
use crate::scenarios::{Bench, Outcome, call_repeatedly};

/// The first user who is connected, and the first of those who are not.
const FIRST: [u32; 2] = [1, 2_001];

/// How much is done in each measured case: calls of the function for many, about that number of receivers in loops.
const CALLS: (u32, u32) = (200, 20);
const LOOPED: (u32, u32) = (6_000, 300);

/// A way to reach many: the function in `bench/php/peer`, and the title behind the peer's.
type Way = (&'static str, &'static str);

const TOGETHER: &str = "one call";
const ONE_BY_ONE: &str = "a call for each";

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    let has_many = |name| {
        matches!(
            name,
            PeerName::Chatpush
                | PeerName::Baseline
                | PeerName::SocketIo
                | PeerName::Centrifugo
                | PeerName::GatewayWorker
        )
    };
    bench.run_rounds(&mut outcome, has_many, |name, outcome| measure(bench, name, outcome));
    outcome.budgets = vec![
        Budget { metric: "push to 1000, p50", rule: Rule::AtMost(6_000.0), goal: 3_000.0 },
        Budget { metric: "send to 300, committed, p50", rule: Rule::AtMost(25_000.0), goal: 12_000.0 },
        Budget {
            metric: "send to 300, committed, p50",
            rule: Rule::AtMostTimes(0.09, "chatpush, a call for each"),
            goal: 0.04,
        },
    ];
    Ok(outcome)
}

fn measure(bench: &Bench<'_>, name: PeerName, outcome: &mut Outcome) -> anyhow::Result<()> {
    let sizes: &[u32] = bench.choose(&[10, 100, 1_000], &[10, 100]);
    let largest = sizes.iter().copied().max().unwrap_or(1);
    let (peer, _clients) = bench.start_connected(name, largest)?;
    // A publish for each is the only way that phpredis has.
    let ways: &[Way] = match name {
        PeerName::Baseline => &[("push_each", ONE_BY_ONE)],
        _ => &[("push_many", TOGETHER), ("push_each", ONE_BY_ONE)],
    };
    for (call, way) in ways {
        for size in sizes {
            let latencies = repeat(bench, &peer.php, call, FIRST[0], *size)?;
            note(outcome, &format!("push to {size}"), &title(name, way), &latencies);
        }
    }
    let ways: &[Way] = match name {
        PeerName::Chatpush => &[("send_many", TOGETHER), ("send_each", ONE_BY_ONE)],
        PeerName::Baseline => &[("store_many", "one transaction")],
        _ => return Ok(()),
    };
    for (call, way) in ways {
        for size in bench.choose(&[10, 100, 300, 1_000][..], &[10, 100][..]) {
            let latencies = repeat(bench, &peer.php, call, FIRST[1], *size)?;
            note(outcome, &format!("send to {size}, committed"), &title(name, way), &latencies);
        }
    }
    Ok(())
}

fn title(name: PeerName, way: &str) -> String {
    format!("{}, {way}", name.title())
}

/// Calls a function for `size` users, from `first` on.
fn repeat(
    bench: &Bench<'_>,
    php: &Php,
    call: &str,
    first: u32,
    size: u32,
) -> anyhow::Result<LatencyHistogram> {
    let calls = bench.choose(CALLS.0, CALLS.1);
    let calls = if call.ends_with("_each") {
        (bench.choose(LOOPED.0, LOOPED.1) / size).clamp(3, calls)
    } else {
        calls
    };
    let php = php.with_variable("BENCH_RECEIVERS", &size.to_string());
    let called = call_repeatedly(&php, call, (first, 1), calls, calls / 10 + 1)?;
    ensure!(called.refused == 0, "{} of {} calls of {call} returned false", called.refused, called.calls);
    Ok(called.latencies)
}

fn note(outcome: &mut Outcome, what: &str, peer: &str, latencies: &LatencyHistogram) {
    // chatpush's own call has the name that budgets are for.
    let peer = peer.strip_suffix(", one call").filter(|peer| *peer == "chatpush").unwrap_or(peer);
    outcome.record_percentiles(what, peer, latencies, &[50.0, 99.0]);
}
