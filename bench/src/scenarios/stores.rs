//! Stores per second: each caller waits for the commit of one store before the next.

use std::time::Duration;

use anyhow::ensure;

use crate::bench_env::BenchEnv;
use crate::budget::{Budget, Rule};
use crate::peer::{Peer, Php};
use crate::peers::{PeerName, baseline, chatpush};
use crate::plot::Chart;
use crate::publisher::{CallResults, ClosedLoop};
use crate::scenarios::{Bench, CONTENT_BYTES, Outcome};
use crate::usage;

/// Number of receivers. None of them is connected.
const USERS: u32 = 10_000;

/// The results of one closed loop.
pub(super) struct StoreResult {
    pub(super) called: CallResults,
    /// Transactions that MariaDB committed.
    commits: f64,
    /// CPU seconds of the machine, by who used them.
    used: [(&'static str, f64); 5],
}

/// CPU seconds of the machine so far, by who used them. PHP, the kernel and everything else are "the rest".
fn used(env: &BenchEnv, servers: &[u32]) -> [(&'static str, f64); 5] {
    let (idle, all) = usage::machine_cpu_seconds();
    let daemon = usage::cpu_seconds(servers);
    let (redis, mariadb) = (usage::cpu_seconds(&[env.redis_pid()]), usage::cpu_seconds(&[env.mariadb_pid()]));
    let rest = all - idle - daemon - redis - mariadb;
    [("daemon", daemon), ("Redis", redis), ("MariaDB", mariadb), ("PHP and the rest", rest), ("idle", idle)]
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let callers: &[u32] = bench.choose(&[1, 4, 16, 64], &[1, 16]);
    let duration = Duration::from_secs(bench.choose(5, 1));
    let wanted = |name| matches!(name, PeerName::Chatpush | PeerName::Baseline);
    bench.run_rounds(&mut outcome, wanted, |name, outcome| {
        bench.env.clear_messages()?;
        let peer = name.start(bench.env)?;
        let (php, title) = match name {
            PeerName::Baseline => {
                (baseline::php(bench.env).with_variable("BENCH_CONNECT", "persistent"), "PDO persistent")
            }
            _ => (chatpush::php(bench.env)?, name.title()),
        };
        for callers in callers {
            let stored = store(bench.env, &peer, &php, *callers, 0, duration)?;
            note(outcome, title, *callers, &stored);
        }
        drop(peer);
        Ok(())
    });
    outcome.budgets =
        vec![Budget { metric: "16 callers", rule: Rule::AtLeastTimes(3.0, "PDO persistent"), goal: 5.0 }];
    let mut lines = Chart::lines("Stores per second", "concurrent callers", "rows/s");
    for callers in callers {
        if let Some(metric) = outcome.metrics.get(&measure_name(*callers)) {
            lines.add_points(f64::from(*callers), metric);
        }
    }
    outcome.charts.push(("stores".to_owned(), lines));
    Ok(outcome)
}

/// Stores for `duration`, or `calls` times per caller (0 means no limit), and checks that every row exists.
pub(super) fn store(
    env: &BenchEnv,
    peer: &Peer,
    php: &Php,
    callers: u32,
    calls: u32,
    duration: Duration,
) -> anyhow::Result<StoreResult> {
    let before = rows(env)?;
    let load = ClosedLoop {
        call: "store",
        callers,
        first_user: 1,
        users: USERS,
        calls,
        duration,
        content_bytes: CONTENT_BYTES,
        ..ClosedLoop::default()
    };
    let publishers = load.start(php)?;
    let commits = env.mariadb_commits()?;
    let servers = peer.pids();
    let before = (before, used(env, &servers));
    let called = publishers.run()?;
    let mut used = used(env, &servers);
    for ((_, now), (_, before)) in used.iter_mut().zip(before.1) {
        *now -= before;
    }
    let commits = env.mariadb_commits()? - commits;
    let (added, accepted) = (rows(env)? - before.0, called.accepted());
    ensure!(added == accepted, "{accepted} stores returned true, but {added} rows were added");
    Ok(StoreResult { called, commits, used })
}

fn rows(env: &BenchEnv) -> anyhow::Result<u64> {
    Ok(env.sql("SELECT COUNT(*) FROM offline_message")?.trim().parse()?)
}

fn measure_name(callers: u32) -> String {
    if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") }
}

fn note(outcome: &mut Outcome, title: &str, callers: u32, stored: &StoreResult) {
    let (called, what) = (&stored.called, measure_name(callers));
    let rows = called.accepted().max(1) as f64;
    outcome.metrics.record(&what, "rows/s", title, rows / called.seconds());
    outcome.record_percentiles(&what, title, &called.latencies, &[50.0, 99.0]);
    outcome.metrics.record(&format!("{what}, commits per row"), "", title, stored.commits / rows);
    outcome.metrics.record(&format!("{what}, refused"), "", title, called.refused as f64);
    for (who, seconds) in stored.used {
        let metric = format!("{what}, CPU per row: {who}");
        outcome.metrics.record(&metric, "µs", title, seconds / rows * 1e6);
    }
}
