//! What it costs that many users are due, or that many messages of one user wait: the time of `getDueNotifications`, the
//! rows that MariaDB reads, and how long a store takes beside it, also while a webhook tells of them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chatpush_stack::daemon::Daemon;

use crate::bench_env::BenchEnv;
use crate::peer::{Peer, Php};
use crate::peers::{PeerName, chatpush};
use crate::scenarios::stores::store;
use crate::scenarios::{Bench, Outcome, call_repeatedly};
use crate::webhook_receiver::WebhookReceiver;

/// Users who are due have numbers behind this one, and the user with many messages has it. Stores have other receivers.
const FIRST: u32 = 1_000_000;

/// Any key.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How long the daemon may take until it writes, or the webhook until it has told of everybody.
const TIMEOUT: Duration = Duration::from_secs(600);

/// What waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    /// A message for each of many users, who are due.
    ForMany,
    /// Many messages for one user, who is due.
    ForOne,
    /// As for many, and a webhook tells of them.
    Told,
}

const ALL: [Waiting; 4] = [Waiting::Nothing, Waiting::ForMany, Waiting::ForOne, Waiting::Told];

/// How many users, or messages, and for how long.
#[derive(Clone, Copy)]
struct Size {
    many: u32,
    calls: u32,
    duration: Duration,
}

impl Waiting {
    fn title(self, many: u32) -> String {
        match self {
            Self::Nothing => PeerName::Chatpush.title().to_owned(),
            Self::ForMany => format!("{many} users are due"),
            Self::ForOne => format!("{many} messages of one user"),
            Self::Told => format!("{many} users, told by a webhook"),
        }
    }

    /// SQL for an expression of the sequence `seq` for the receivers of the messages.
    const fn receiver(self) -> &'static str {
        match self {
            Self::ForOne => "0",
            _ => "seq",
        }
    }
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let size = Size {
        many: bench.choose(100_000, 1_000),
        calls: bench.choose(200, 5),
        duration: Duration::from_secs(bench.choose(5, 1)),
    };
    bench.run_rounds(
        &mut outcome,
        |name| name == PeerName::Chatpush,
        |_, outcome| ALL.into_iter().try_for_each(|waiting| measure(bench.env, waiting, size, outcome)),
    );
    Ok(outcome)
}

fn measure(env: &BenchEnv, waiting: Waiting, size: Size, outcome: &mut Outcome) -> anyhow::Result<()> {
    let title = waiting.title(size.many);
    let receiver = (waiting == Waiting::Told).then(WebhookReceiver::start).transpose()?;
    let mut environment = env.daemon_environment();
    environment.push(("CHATPUSH_NOTIFY_AFTER", "600".to_owned()));
    if let Some(receiver) = &receiver {
        environment.push(("CHATPUSH_WEBHOOK_URL", receiver.url()));
        environment.push(("CHATPUSH_WEBHOOK_SECRET", SECRET.to_owned()));
    }
    let migrated = env.block_on(Daemon::command(env.folder(), &environment, &["migrate"]))?;
    ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    stage(env, waiting, size.many)?;
    let peer = chatpush::start_with(env, &environment)?;
    let php = chatpush::php(env)?;
    let measured = match &receiver {
        Some(receiver) => tell(env, (&peer, &php), receiver, (&title, size), outcome),
        None => take(env, (&peer, &php), (&title, size), outcome),
    };
    drop(peer);
    measured
}

/// Makes users due, an hour after the messages. The daemon, which does not run yet, has seen them. Unless a webhook tells
/// of them, they stay due: whoever is taken is offered again at once.
fn stage(env: &BenchEnv, waiting: Waiting, many: u32) -> anyhow::Result<()> {
    env.clear_messages()?;
    env.sql("DROP TRIGGER IF EXISTS stays_due; TRUNCATE chatpush_notified")?;
    if waiting != Waiting::Nothing {
        let receiver = waiting.receiver();
        env.sql(&format!(
            "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
             SELECT 1, {FIRST} + {receiver}, 'x', NOW() - INTERVAL 1 HOUR FROM seq_1_to_{many}; \
             INSERT IGNORE INTO chatpush_notified (user_id, since_ms, offer_at, due_at) \
             SELECT {FIRST} + {receiver}, 1, 1, 1 FROM seq_1_to_{many}; \
             ANALYZE TABLE offline_message, chatpush_notified"
        ))?;
    }
    if waiting != Waiting::Told {
        env.sql(
            "CREATE TRIGGER stays_due BEFORE UPDATE ON chatpush_notified FOR EACH ROW \
             SET NEW.offer_at = IF(NEW.lease IS NULL, NEW.offer_at, OLD.offer_at)",
        )?;
    }
    env.sql("UPDATE chatpush_notify_scan SET row_id = (SELECT COALESCE(MAX(id), 0) FROM offline_message)")
        .map(drop)
}

/// Users stay due, and PHP asks for them.
fn take(
    env: &BenchEnv,
    (peer, php): (&Peer, &Php),
    (title, size): (&str, Size),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    // The first call waits until the daemon writes.
    call_repeatedly(php, "due", (1, 1), 1, 0)?;
    let before = rows_read(env)?;
    thread::sleep(size.duration);
    let in_a_second = (rows_read(env)? - before) / size.duration.as_secs_f64();
    outcome.metrics.record("rows read in a second in which nothing happens", "", title, in_a_second);
    let before = rows_read(env)?;
    let called = call_repeatedly(php, "due", (1, 1), size.calls, 0)?;
    let by_looks = called.seconds() * in_a_second;
    let rows = (rows_read(env)? - before - by_looks) / called.calls as f64;
    outcome.record_percentiles("getDueNotifications(100)", title, &called.latencies, &[50.0, 99.0]);
    outcome.metrics.record("getDueNotifications(100), rows read", "", title, rows);
    stores(env, (peer, php), (title, size.duration), outcome)
}

/// A webhook tells of all users.
fn tell(
    env: &BenchEnv,
    (peer, php): (&Peer, &Php),
    receiver: &WebhookReceiver,
    (title, size): (&str, Size),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let start = Instant::now();
    until("the first webhook", || receiver.received() > 0)?;
    let (first, from) = (receiver.received(), Instant::now());
    stores(env, (peer, php), (title, size.duration), outcome)?;
    let told = (receiver.received() - first) as f64 / from.elapsed().as_secs_f64();
    outcome.metrics.record("webhooks in a second", "", title, told);
    until("the last webhook", || receiver.received() >= u64::from(size.many))?;
    outcome.metrics.record("until all are told", "s", title, start.elapsed().as_secs_f64());
    Ok(())
}

/// Stores by one caller, whose receivers become due later.
fn stores(
    env: &BenchEnv,
    (peer, php): (&Peer, &Php),
    (title, duration): (&str, Duration),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let stored = store(env, peer, php, 1, 0, duration)?;
    outcome.record_percentiles("store", title, &stored.called.latencies, &[50.0, 99.0]);
    Ok(())
}

/// Rows that MariaDB has read so far.
fn rows_read(env: &BenchEnv) -> anyhow::Result<f64> {
    env.mariadb_status("Rows_read")
}

fn until(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so() {
        (Instant::now() < deadline).then_some(()).with_context(|| format!("{what} has not come"))?;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
