//! Stores per second: callers that each wait for their commit.

use std::time::Duration;

use anyhow::ensure;

use crate::bench_env::BenchEnv;
use crate::peer::{Peer, Php};
use crate::peers::{PeerName, baseline, chatpush};
use crate::plot::Chart;
use crate::publisher::{Called, Repeat};
use crate::scenarios::{Bench, Outcome, SIZE};
use crate::usage;
use crate::verdict::{Budget, Rule};

/// Users who are stored to, of whom nobody is connected.
const USERS: u32 = 10_000;

/// What came of one run.
pub(super) struct Stored {
    pub(super) called: Called,
    /// Transactions that MariaDB committed meanwhile.
    commits: f64,
    /// Processor seconds by whom.
    used: [(&'static str, f64); 5],
}

/// Who uses the processors now: each one's seconds so far. What the servers do not use is PHP's and the kernel's.
fn used(env: &BenchEnv, servers: &[u32]) -> [(&'static str, f64); 5] {
    let (idle, all) = usage::machine();
    let daemon = usage::processor(servers);
    let (redis, mariadb) = (usage::processor(&[env.redis_pid()]), usage::processor(&[env.mariadb_pid()]));
    let rest = all - idle - daemon - redis - mariadb;
    [
        ("the daemon", daemon),
        ("Redis", redis),
        ("MariaDB", mariadb),
        ("PHP and the rest", rest),
        ("nobody", idle),
    ]
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let callers: &[u32] = bench.choose(&[1, 4, 16, 64], &[1, 16]);
    let time = Duration::from_secs(bench.choose(5, 1));
    let wanted = |name| matches!(name, PeerName::Chatpush | PeerName::Baseline);
    bench.in_turn(&mut outcome, wanted, |name, outcome| {
        bench.env.clear_messages()?;
        let peer = name.start(bench.env)?;
        let (php, title) = match name {
            PeerName::Baseline => {
                (baseline::php(bench.env).with("BENCH_CONNECT", "persistent"), "PDO persistent")
            }
            _ => (chatpush::php(bench.env)?, name.title()),
        };
        for callers in callers {
            let stored = store(bench.env, &peer, &php, *callers, 0, time)?;
            note(outcome, title, *callers, &stored);
        }
        drop(peer);
        Ok(())
    });
    outcome.budgets =
        vec![Budget { measure: "16 callers", rule: Rule::AtLeastTimes(3.0, "PDO persistent"), goal: 5.0 }];
    let mut lines = Chart::lines("Stores per second", "callers at a time", "rows/s");
    for callers in callers {
        if let Some(measure) = outcome.figures.measure(&measure_name(*callers)) {
            lines.add_points(f64::from(*callers), measure);
        }
    }
    outcome.charts.push(("stores".to_owned(), lines));
    Ok(outcome)
}

/// Stores for some time, or so often each, and sees that every row is there.
pub(super) fn store(
    env: &BenchEnv,
    peer: &Peer,
    php: &Php,
    callers: u32,
    calls: u32,
    time: Duration,
) -> anyhow::Result<Stored> {
    let before = rows(env)?;
    let repeat = Repeat { call: "store", callers, first: 1, users: USERS, calls, time, size: SIZE, warm: 0 };
    let publishers = repeat.start(php)?;
    let commits = env.mariadb_commits()?;
    let servers = peer.pids();
    let before = (before, used(env, &servers));
    let called = publishers.run()?;
    let mut used = used(env, &servers);
    for ((_, now), (_, before)) in used.iter_mut().zip(before.1) {
        *now -= before;
    }
    let commits = env.mariadb_commits()? - commits;
    let (there, said) = (rows(env)? - before.0, called.accepted());
    ensure!(there == said, "{said} stores were said to be committed, and {there} rows are there");
    Ok(Stored { called, commits, used })
}

fn rows(env: &BenchEnv) -> anyhow::Result<u64> {
    Ok(env.sql("SELECT COUNT(*) FROM offline_message")?.trim().parse()?)
}

fn measure_name(callers: u32) -> String {
    if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") }
}

fn note(outcome: &mut Outcome, title: &str, callers: u32, stored: &Stored) {
    let (called, what) = (&stored.called, measure_name(callers));
    let rows = called.accepted().max(1) as f64;
    outcome.figures.note(&what, "rows/s", title, rows / called.seconds());
    outcome.note_delays(&what, title, &called.delays, &[50.0, 99.0]);
    outcome.figures.note(&format!("{what}, commits per row"), "", title, stored.commits / rows);
    outcome.figures.note(&format!("{what}, refused"), "", title, called.refused as f64);
    for (who, seconds) in stored.used {
        let measure = format!("{what}, processor per row: {who}");
        outcome.figures.note(&measure, "µs", title, seconds / rows * 1e6);
    }
}
