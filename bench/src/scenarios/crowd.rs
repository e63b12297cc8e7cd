//! The return of the crowd: everybody reconnects at once, each with stored messages, while others chat on.
//!
//! Beside it stands the article's way: PHP reads each user's rows, publishes them and deletes them.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::bench_env::BenchEnv;
use crate::clock;
use crate::crowd::{Crowd, Manner, Seen};
use crate::peer::{Peer, Php};
use crate::peers::{PeerName, baseline};
use crate::plot::Chart;
use crate::publisher::{Repeat, Timetable};
use crate::scenarios::{Bench, IDLE_TIMEOUT, Outcome, SIZE};

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

const DELIVERED: &str = "until all were delivered";

/// How long the crowd's messages took.
pub(super) struct Returned {
    /// Until the last had come, in seconds.
    pub(super) delivered: f64,
    /// Until the last row was gone.
    confirmed: f64,
    /// Statements that MariaDB was sent.
    statements: f64,
    seen: Seen,
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let users = bench.choose(10_000, 500);
    let wanted = |name| matches!(name, PeerName::Chatpush | PeerName::Baseline);
    bench.in_turn(&mut outcome, wanted, |name, outcome| {
        bench.env.clear_messages()?;
        let peer = name.start(bench.env)?;
        let live = LIVE.0..LIVE.0 + LIVE.1;
        let mut chatting = Crowd::connect(&peer.connect_specs(live), Manner::default())?;
        let title = name.title();
        if name == PeerName::Chatpush {
            fill(bench.env, &peer.php, users)?;
        } else {
            insert(bench.env, users)?;
        }

        let seconds = bench.choose(20, 4);
        let timetable = Timetable {
            first: LIVE.0,
            users: LIVE.1,
            rate: LIVE.2,
            messages: LIVE.2 * seconds,
            size: SIZE,
            publisher: LIVE_PUBLISHER,
        };
        // The same without the crowd first, for comparison.
        let called = Timetable { messages: LIVE.2 * 2, ..timetable }.start(&peer.php)?.run()?;
        chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
        let quiet = chatting.report()?;
        let mut publishers = timetable.start(&peer.php)?;
        publishers.begin()?;
        let returned = match name {
            PeerName::Chatpush => reconnect(bench.env, &peer, users)?,
            _ => log_in(bench.env, &peer, users)?,
        };
        let called = publishers.finish()?;
        chatting.settle(called.accepted(), IDLE_TIMEOUT)?;
        note(outcome, title, users, &returned);
        outcome.note_delays("others' live messages before", title, &quiet.intended, &[50.0, 99.0]);
        let seen = chatting.report()?;
        outcome.note_delays("others' live messages meanwhile", title, &seen.intended, &[50.0, 99.0]);
        let lost = seen.counts.lost(called.accepted());
        outcome.figures.note("others' live messages lost", "", title, lost as f64);
        Ok(())
    });
    outcome.notes.push(format!(
        "{users} users with {MESSAGES} messages each; PHP's way: {WORKERS} workers read, publish and delete, to a \
         bare subscriber of Redis"
    ));
    if let Some(measure) = outcome.figures.measure(DELIVERED) {
        let title = format!("{users} users return to {MESSAGES} messages each: time until all are delivered");
        outcome.charts.push(("crowd".to_owned(), Chart::bars(&title, measure)));
    }
    Ok(outcome)
}

/// Stores through the extension and waits until every row is there.
pub(super) fn fill(env: &BenchEnv, php: &Php, users: u32) -> anyhow::Result<()> {
    let repeat = Repeat {
        call: "store",
        callers: WORKERS,
        first: 1,
        users,
        calls: users * MESSAGES / WORKERS,
        time: Duration::ZERO,
        size: SIZE,
        warm: 0,
    };
    let called = repeat.start(&php.set("chatpush.durability=queued"))?.run()?;
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
pub(super) fn reconnect(env: &BenchEnv, peer: &Peer, users: u32) -> anyhow::Result<Returned> {
    let total = u64::from(users * MESSAGES);
    let specs = peer.connect_specs(1..=users);
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    let mut crowd = Crowd::begin(&specs, Manner { window: WINDOW, deaf: false })?;
    wait_for(&mut crowd, total)?;
    let latest = crowd.progress()?.latest;
    let asked = until_rows(env, 0)?;
    let ended = clock::now();
    let statements = env.mariadb_status("Questions")? - statements - asked;
    let progress = crowd.progress()?;
    ensure!(progress.gone == 0, "{} connections failed: {}", progress.gone, progress.why);
    Ok(Returned {
        delivered: latest.saturating_sub(began) as f64 / 1e9,
        confirmed: ended.saturating_sub(began) as f64 / 1e9,
        statements,
        seen: crowd.report()?,
    })
}

/// PHP delivers to each user in turn, as at a login.
fn log_in(env: &BenchEnv, peer: &Peer, users: u32) -> anyhow::Result<Returned> {
    let total = u64::from(users * MESSAGES);
    let mut crowd = Crowd::connect(&peer.connect_specs(1..=users), Manner::default())?;
    let mut logins = Vec::new();
    let share = users / WORKERS;
    for worker in 0..WORKERS {
        let repeat = Repeat {
            call: "log_in",
            callers: 1,
            first: 1 + worker * share,
            users: share,
            calls: share,
            time: Duration::ZERO,
            size: SIZE,
            warm: 0,
        };
        logins.push(repeat.start(&baseline::php(env))?);
    }
    let statements = env.mariadb_status("Questions")?;
    let began = clock::now();
    for login in &mut logins {
        login.begin()?;
    }
    wait_for(&mut crowd, total)?;
    let latest = crowd.progress()?.latest;
    for login in logins {
        login.finish()?;
    }
    let asked = until_rows(env, 0)?;
    let ended = clock::now();
    Ok(Returned {
        delivered: latest.saturating_sub(began) as f64 / 1e9,
        confirmed: ended.saturating_sub(began) as f64 / 1e9,
        statements: env.mariadb_status("Questions")? - statements - asked,
        seen: crowd.report()?,
    })
}

fn wait_for(crowd: &mut Crowd, total: u64) -> anyhow::Result<()> {
    let deadline = Instant::now() + LONGEST;
    while crowd.progress()?.received < total {
        ensure!(Instant::now() < deadline, "{:?} of {total} came", crowd.progress()?);
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

fn note(outcome: &mut Outcome, title: &str, users: u32, returned: &Returned) {
    let total = f64::from(users * MESSAGES);
    let figures = &mut outcome.figures;
    figures.note(DELIVERED, "s", title, returned.delivered);
    figures.note("until all were confirmed and their rows gone", "s", title, returned.confirmed);
    figures.note("statements per user", "", title, returned.statements / f64::from(users));
    let counts = returned.seen.counts;
    figures.note("lost", "", title, total - counts.received as f64);
    let wrong = counts.doubled + counts.swapped + counts.astray;
    figures.note("doubled, swapped or astray", "", title, wrong as f64);
}
