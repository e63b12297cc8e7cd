//! Thousands of users reconnect at once, each with stored messages, while other users keep chatting.
//!
//! The baseline has no server that delivers stored messages: its users are connected first, and then PHP
//! reads each user's rows, publishes them and deletes them.

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

/// Stored messages per user.
const MESSAGES: u32 = 20;
/// Connections that may be opening at the same time, close to what a listener's queue accepts.
const MAX_OPENING: usize = 1_000;
/// PHP workers that store the messages, and that deliver them in the baseline.
const WORKERS: u32 = 4;
/// The users who keep chatting: the first, their number, and their messages per second.
const LIVE: (u32, u32, u32) = (60_001, 200, 200);
/// The number of the publisher of the live messages. Those who store have lower ones.
const LIVE_PUBLISHER: u32 = 900;
/// How long the delivery may take.
const TIMEOUT: Duration = Duration::from_secs(180);

const DELIVERED: &str = "time until all are delivered";

/// The results of one reconnect.
pub(super) struct ReconnectResult {
    /// Time until the last message arrived, in seconds.
    pub(super) delivered: f64,
    /// Time until the last row was deleted, in seconds.
    confirmed: f64,
    /// SQL statements that MariaDB executed.
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
        // First the live messages alone, for comparison.
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

/// Stores the messages through the extension and waits until every row exists.
pub(super) fn fill(env: &BenchEnv, php: &Php, users: u32) -> anyhow::Result<()> {
    let load = ClosedLoop {
        call: "store",
        callers: WORKERS,
        first_user: 1,
        users,
        calls: users * MESSAGES / WORKERS,
        content_bytes: CONTENT_BYTES,
        ..ClosedLoop::default()
    };
    let called = load.start(&php.with_setting("chatpush.durability=queued"))?.run()?;
    ensure!(called.refused == 0, "{} stores were refused", called.refused);
    until_rows(env, u64::from(users * MESSAGES)).map(drop)
}

/// Inserts the same rows by SQL, with the header that a caller would write.
fn insert(env: &BenchEnv, users: u32) -> anyhow::Result<()> {
    let header = "'~~000', LPAD(u.seq, 8, '0'), LPAD(m.seq, 8, '0'), REPEAT('0', 36)";
    let last = MESSAGES - 1;
    env.sql(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
             SELECT 1, u.seq, CONCAT({header}, ' ', REPEAT('message ', 8)), NOW() \
             FROM seq_0_to_{last} m, seq_1_to_{users} u"
    ))
    .map(drop)
}

/// All users connect at once, and the daemon delivers.
pub(super) fn reconnect(env: &BenchEnv, peer: &Peer, users: u32) -> anyhow::Result<ReconnectResult> {
    let total = u64::from(users * MESSAGES);
    let specs = peer.connect_specs(1..=users);
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    let mut clients = Clients::begin(&specs, ConnectOptions { max_opening: MAX_OPENING, stalled: false })?;
    wait_until_received(&mut clients, total)?;
    finish(env, &mut clients, began, statements)
}

/// Waits until every row is deleted, and returns the results since `began`. All messages have arrived;
/// `statements_before` is MariaDB's counter at the start.
fn finish(
    env: &BenchEnv,
    clients: &mut Clients,
    began: u64,
    statements_before: f64,
) -> anyhow::Result<ReconnectResult> {
    let latest = clients.progress()?.latest;
    let check_statements = until_rows(env, 0)?;
    let ended = clock::now();
    let statements = env.mariadb_status("Questions")? - statements_before - check_statements;
    let progress = clients.progress()?;
    ensure!(progress.failed == 0, "{} connections failed: {}", progress.failed, progress.reason);
    Ok(ReconnectResult {
        delivered: latest.saturating_sub(began) as f64 / 1e9,
        confirmed: ended.saturating_sub(began) as f64 / 1e9,
        statements,
        received: clients.report()?,
    })
}

/// PHP delivers to one user after the other, as at a login.
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
            content_bytes: CONTENT_BYTES,
            ..ClosedLoop::default()
        };
        logins.push(load.start(&baseline::php(env))?);
    }
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    for login in &mut logins {
        login.begin()?;
    }
    wait_until_received(&mut clients, total)?;
    for login in logins {
        login.finish()?;
    }
    finish(env, &mut clients, began, statements)
}

fn wait_until_received(clients: &mut Clients, total: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while clients.progress()?.received < total {
        ensure!(
            Instant::now() < deadline,
            "not all of the {total} messages arrived: {:?}",
            clients.progress()?
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until the table has this many rows. Returns the number of statements that this check needed.
fn until_rows(env: &BenchEnv, rows: u64) -> anyhow::Result<f64> {
    let deadline = Instant::now() + TIMEOUT;
    // Reading the counter is a statement too, and the client sends USE before each.
    let mut statements = 2.0;
    loop {
        statements += 2.0;
        let found: u64 = env.sql("SELECT COUNT(*) FROM offline_message")?.trim().parse()?;
        if found == rows {
            return Ok(statements);
        }
        ensure!(Instant::now() < deadline, "the table has {found} rows instead of {rows}");
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
    metrics.record("duplicated, reordered or misrouted", "", title, counts.faults() as f64);
}
