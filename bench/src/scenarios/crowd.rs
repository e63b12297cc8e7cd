//! The return of the crowd: everybody reconnects at once, each with stored messages, while others chat on.
//!
//! Beside it stands the article's way: PHP reads each user's rows, publishes them and deletes them.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::bench_env::BenchEnv;
use crate::clients::{Clients, ConnectOptions, Received};
use crate::clock;
use crate::peer::{Peer, Php};
use crate::peers::{PeerName, baseline};
use crate::plot::Chart;
use crate::publisher::{ClosedLoop, OpenLoop};
use crate::scenarios::{Bench, CONTENT_BYTES, IDLE_TIMEOUT, Outcome};

/// Messages that wait for each.
const MESSAGES: u32 = 20;
/// Connections that open at a time: as many as a listener's queue takes at once.
const WINDOW: usize = 1_000;
/// PHP workers of the article's way.
const WORKERS: u32 = 4;
/// The first of those who chat on, how many they are, and their messages a second.
const LIVE: (u32, u32, u32) = (60_001, 200, 200);
/// Number of the publisher who writes to them, apart from those who stored.
const LIVE_PUBLISHER: u32 = 900;
/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(180);

const DELIVERED: &str = "time until all are delivered";

/// How long the crowd's messages took.
pub(super) struct ReconnectResult {
    /// Until the last had come, in seconds.
    pub(super) delivered: f64,
    /// Until the last row was gone.
    confirmed: f64,
    /// Statements that MariaDB was sent.
    statements: f64,
    received: Received,
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let users = bench.choose(10_000, 500);
    let wanted = |name| matches!(name, PeerName::Chatpush | PeerName::Baseline);
    bench.run_rounds(&mut outcome, wanted, |name, outcome| {
        bench.env.clear_messages()?;
        let peer = name.start(bench.env)?;
        let live = LIVE.0..LIVE.0 + LIVE.1;
        let mut chatting = Clients::connect(&peer.connect_specs(live), ConnectOptions::default())?;
        let title = name.title();
        if name == PeerName::Chatpush {
            fill(bench.env, &peer.php, users)?;
        } else {
            insert(bench.env, users)?;
        }

        let seconds = bench.choose(20, 4);
        let load = OpenLoop {
            first_user: LIVE.0,
            users: LIVE.1,
            rate: LIVE.2,
            messages: LIVE.2 * seconds,
            content_bytes: CONTENT_BYTES,
            publisher: LIVE_PUBLISHER,
        };
        // The same without the crowd first, for comparison.
        let called = OpenLoop { messages: LIVE.2 * 2, ..load }.start(&peer.php)?.run()?;
        chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
        let quiet = chatting.report()?;
        let mut publishers = load.start(&peer.php)?;
        publishers.begin()?;
        let returned = match name {
            PeerName::Chatpush => reconnect(bench.env, &peer, users)?,
            _ => log_in(bench.env, &peer, users)?,
        };
        let called = publishers.finish()?;
        chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
        note(outcome, title, users, &returned);
        outcome.record_percentiles(
            "others' live latency before the reconnect",
            title,
            &quiet.intended,
            &[50.0, 99.0],
        );
        let received = chatting.report()?;
        outcome.record_percentiles(
            "others' live latency during the reconnect",
            title,
            &received.intended,
            &[50.0, 99.0],
        );
        let lost = received.counts.lost(called.accepted());
        outcome.metrics.record("others' live messages lost", "", title, lost as f64);
        Ok(())
    });
    outcome.notes.push(format!(
        "{users} users with {MESSAGES} messages each; phpredis, PDO: {WORKERS} PHP workers read, publish \
         and delete, and a Redis subscriber receives"
    ));
    if let Some(metric) = outcome.metrics.get(DELIVERED) {
        let title = format!(
            "{users} users reconnect to {MESSAGES} stored messages each: time until all are delivered"
        );
        outcome.charts.push(("crowd".to_owned(), Chart::bars(&title, metric)));
    }
    Ok(outcome)
}

/// Stores through the extension and waits until every row is there.
pub(super) fn fill(env: &BenchEnv, php: &Php, users: u32) -> anyhow::Result<()> {
    let load = ClosedLoop {
        call: "store",
        callers: WORKERS,
        first_user: 1,
        users,
        calls: users * MESSAGES / WORKERS,
        duration: Duration::ZERO,
        content_bytes: CONTENT_BYTES,
        warmup: 0,
    };
    let called = load.start(&php.set("chatpush.durability=queued"))?.run()?;
    ensure!(called.refused == 0, "{} stores were refused", called.refused);
    until_rows(env, u64::from(users * MESSAGES)).map(drop)
}

/// The same rows by SQL, stamped as a caller would.
fn insert(env: &BenchEnv, users: u32) -> anyhow::Result<()> {
    let content = "CONCAT('~~000', LPAD(u.seq, 8, '0'), LPAD(m.seq, 8, '0'), REPEAT('0', 36), ' ', REPEAT('message ', 8))";
    let last = MESSAGES - 1;
    env.sql(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
             SELECT 1, u.seq, {content}, NOW() FROM seq_0_to_{last} m, seq_1_to_{users} u"
    ))
    .map(drop)
}

/// Everybody connects at once.
pub(super) fn reconnect(env: &BenchEnv, peer: &Peer, users: u32) -> anyhow::Result<ReconnectResult> {
    let total = u64::from(users * MESSAGES);
    let specs = peer.connect_specs(1..=users);
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    let mut clients = Clients::begin(&specs, ConnectOptions { max_opening: WINDOW, stalled: false })?;
    wait_for(&mut clients, total)?;
    let latest = clients.progress()?.latest;
    let asked = until_rows(env, 0)?;
    let ended = clock::now();
    let statements = env.mariadb_status("Questions")? - statements - asked;
    let progress = clients.progress()?;
    ensure!(progress.gone == 0, "{} connections failed: {}", progress.gone, progress.why);
    Ok(ReconnectResult {
        delivered: latest.saturating_sub(began) as f64 / 1e9,
        confirmed: ended.saturating_sub(began) as f64 / 1e9,
        statements,
        received: clients.report()?,
    })
}

/// PHP delivers to each user in turn, as at a login.
fn log_in(env: &BenchEnv, peer: &Peer, users: u32) -> anyhow::Result<ReconnectResult> {
    let total = u64::from(users * MESSAGES);
    let mut clients = Clients::connect(&peer.connect_specs(1..=users), ConnectOptions::default())?;
    let mut logins = Vec::new();
    let share = users / WORKERS;
    for worker in 0..WORKERS {
        let load = ClosedLoop {
            call: "log_in",
            callers: 1,
            first_user: 1 + worker * share,
            users: share,
            calls: share,
            duration: Duration::ZERO,
            content_bytes: CONTENT_BYTES,
            warmup: 0,
        };
        logins.push(load.start(&baseline::php(env))?);
    }
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    for login in &mut logins {
        login.begin()?;
    }
    wait_for(&mut clients, total)?;
    let latest = clients.progress()?.latest;
    for login in logins {
        login.finish()?;
    }
    let asked = until_rows(env, 0)?;
    let ended = clock::now();
    Ok(ReconnectResult {
        delivered: latest.saturating_sub(began) as f64 / 1e9,
        confirmed: ended.saturating_sub(began) as f64 / 1e9,
        statements: env.mariadb_status("Questions")? - statements - asked,
        received: clients.report()?,
    })
}

fn wait_for(clients: &mut Clients, total: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + LONGEST;
    while clients.progress()?.received < total {
        ensure!(Instant::now() < deadline, "{:?} of {total} came", clients.progress()?);
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until the table has so many rows, and returns how many statements that took.
fn until_rows(env: &BenchEnv, rows: u64) -> anyhow::Result<f64> {
    let deadline = Instant::now() + LONGEST;
    // Asking for the counter is a statement itself, and the client sends USE before each.
    let mut statements = 2.0;
    loop {
        statements += 2.0;
        let there: u64 = env.sql("SELECT COUNT(*) FROM offline_message")?.trim().parse()?;
        if there == rows {
            return Ok(statements);
        }
        ensure!(Instant::now() < deadline, "{there} rows are there instead of {rows}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn note(outcome: &mut Outcome, title: &str, users: u32, returned: &ReconnectResult) {
    let total = f64::from(users * MESSAGES);
    let metrics = &mut outcome.metrics;
    metrics.record(DELIVERED, "s", title, returned.delivered);
    metrics.record("time until all are confirmed and deleted", "s", title, returned.confirmed);
    metrics.record("statements per user", "", title, returned.statements / f64::from(users));
    let counts = returned.received.counts;
    metrics.record("lost", "", title, total - counts.received as f64);
    let wrong = counts.duplicated + counts.reordered + counts.misrouted;
    metrics.record("duplicated, reordered or misrouted", "", title, wrong as f64);
}
