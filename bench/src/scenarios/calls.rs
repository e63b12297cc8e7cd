//! How long a PHP call takes: on the command line after a warm-up, and in requests to PHP-FPM through nginx.

use anyhow::ensure;

use crate::budget::{Budget, Rule};
use crate::fpm::Fpm;
use crate::latency::LatencyHistogram;
use crate::message_header;
use crate::peer::Php;
use crate::peers::{PeerName, baseline};
use crate::scenarios::{Bench, CONTENT_BYTES, Outcome, call_repeatedly};

/// Number of connected users, who receive the pushes.
const CONNECTED: u32 = 100;
/// The first user with stored messages.
const FIRST_MAILBOX: u32 = 1_001;
/// How many users have stored messages, and how many each.
const MAILBOXES: (u32, u32) = (100, 20);
/// The first receiver of stores and their number. They are not connected.
const OFFLINE: (u32, u32) = (2_001, 1_000);

/// The reading calls: the function in `bench/php/peer`, and chatpush's name for it.
const READS: [(&str, &str); 2] = [("count_unread", "getUnreadCount"), ("fetch", "getOfflineMessage")];

/// Calls that show how fast this machine is: round trips without work, and the baseline's store as one
/// transaction.
const COMPARISONS: [(&str, &str); 3] = [
    ("ping_redis", "PING to Redis"),
    ("ping_database", "DO 1 to MariaDB"),
    ("store_in_transaction", "PDO held, store in one transaction"),
];

/// How the baseline connects to MariaDB: the value of `BENCH_CONNECT` and the title.
const CONNECTIONS: [(&str, &str); 3] =
    [("once", "PDO held"), ("persistent", "PDO persistent"), ("call", "PDO per call")];

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    fill_mailboxes(bench)?;
    bench.run_rounds(&mut outcome, |_| true, |name, outcome| measure(bench, name, outcome));
    outcome.budgets = vec![
        Budget { metric: "pushMessage, p50", rule: Rule::AtMostTimes(1.0, "phpredis held"), goal: 0.85 },
        Budget {
            metric: "storeOfflineMessage committed, p50",
            rule: Rule::AtMostTimes(0.8, "PDO held"),
            goal: 0.6,
        },
        Budget {
            metric: "storeOfflineMessage queued, p50",
            rule: Rule::AtMostTimes(0.2, "PDO held"),
            goal: 0.12,
        },
        Budget { metric: "getUnreadCount, p50", rule: Rule::AtMostTimes(0.8, "PDO per call"), goal: 0.6 },
    ];
    Ok(outcome)
}

fn fill_mailboxes(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (users, messages) = MAILBOXES;
    let content = "x".repeat(CONTENT_BYTES as usize - message_header::BYTES);
    let last = FIRST_MAILBOX + users - 1;
    bench.env.sql(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, u.seq, '{content}', NOW() FROM seq_{FIRST_MAILBOX}_to_{last} u, seq_1_to_{messages} m; \
         UPDATE `user` SET unread_count = {messages} WHERE id BETWEEN {FIRST_MAILBOX} AND {last}"
    ))?;
    Ok(())
}

fn measure(bench: &Bench<'_>, name: PeerName, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (peer, _clients) = bench.start_connected(name, CONNECTED)?;
    let push = if name == PeerName::Baseline { "phpredis held" } else { name.title() };
    let latencies = repeat(&peer.php, "push", (1, CONNECTED), bench.choose(20_000, 2_000))?;
    note(outcome, "pushMessage", push, &latencies);

    let stores = bench.choose(2_000, 300);
    let reads = bench.choose(5_000, 500);
    match name {
        PeerName::Chatpush => {
            for (durability, what) in
                [("committed", "storeOfflineMessage committed"), ("queued", "storeOfflineMessage queued")]
            {
                let php = peer.php.with_setting(&format!("chatpush.durability={durability}"));
                note(outcome, what, name.title(), &repeat(&php, "store", OFFLINE, stores)?);
            }
            for (call, what) in READS {
                let latencies = repeat(&peer.php, call, (FIRST_MAILBOX, MAILBOXES.0), reads)?;
                note(outcome, what, name.title(), &latencies);
            }
        }
        PeerName::Baseline => {
            for (call, what) in COMPARISONS {
                let latencies = repeat(&peer.php, call, OFFLINE, stores)?;
                outcome.record_percentiles("for comparison", what, &latencies, &[50.0, 99.0]);
            }
            for (how, title) in CONNECTIONS {
                let php = baseline::php(bench.env).with_variable("BENCH_CONNECT", how);
                let latencies = repeat(&php, "store", OFFLINE, stores)?;
                // The baseline has one way to store; it is compared with both of chatpush's.
                note(outcome, "storeOfflineMessage committed", title, &latencies);
                note(outcome, "storeOfflineMessage queued", title, &latencies);
                for (call, what) in READS {
                    note(outcome, what, title, &repeat(&php, call, (FIRST_MAILBOX, MAILBOXES.0), reads)?);
                }
            }
        }
        _ => {}
    }
    in_fpm(bench, name, &peer.php, outcome)
}

/// Measures the calls in PHP-FPM.
fn in_fpm(bench: &Bench<'_>, name: PeerName, php: &Php, outcome: &mut Outcome) -> anyhow::Result<()> {
    let calls = bench.choose(1_000, 60);
    let ways: &[(&str, &str)] = match name {
        PeerName::Baseline => &[("call", "connection per request"), ("persistent", "persistent connection")],
        _ => &[("once", name.title())],
    };
    for (how, title) in ways {
        let fpm = Fpm::start(bench.env, &php.with_variable("BENCH_CONNECT", how))?;
        let latencies = fpm.calls("push", 1..CONNECTED + 1, calls)?;
        outcome.record_percentiles("pushMessage in PHP-FPM", title, &latencies, &[50.0, 99.0]);
        if matches!(name, PeerName::Chatpush | PeerName::Baseline) {
            let latencies = fpm.calls("store", OFFLINE.0..OFFLINE.0 + OFFLINE.1, calls)?;
            outcome.record_percentiles("storeOfflineMessage in PHP-FPM", title, &latencies, &[50.0, 99.0]);
            for (call, what) in READS {
                let latencies = fpm.calls(call, FIRST_MAILBOX..FIRST_MAILBOX + MAILBOXES.0, calls)?;
                outcome.record_percentiles(&format!("{what} in PHP-FPM"), title, &latencies, &[50.0, 99.0]);
            }
        }
    }
    Ok(())
}

fn repeat(php: &Php, call: &str, users: (u32, u32), calls: u32) -> anyhow::Result<LatencyHistogram> {
    let called = call_repeatedly(php, call, users, calls, calls / 10)?;
    ensure!(called.refused == 0, "{} of {} calls of {call} returned false", called.refused, called.calls);
    Ok(called.latencies)
}

fn note(outcome: &mut Outcome, what: &str, peer: &str, latencies: &LatencyHistogram) {
    outcome.record_percentiles(what, peer, latencies, &[50.0, 99.0]);
    let file = what.replace(' ', "-").to_lowercase();
    outcome.add_curve(&file, &format!("{what}: how long the call takes in PHP"), peer, latencies);
}
