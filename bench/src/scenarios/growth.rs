//! What a unit of work costs chatpush at 1, 4 and 16 times the work. The cost should not grow.

use std::time::Duration;

use crate::clients::{Clients, ConnectOptions};
use crate::metrics::Metric;
use crate::peer::Peer;
use crate::peers::{PeerName, chatpush};
use crate::plot::Chart;
use crate::scenarios::{Bench, CONTENT_BYTES, Outcome, call_repeatedly, crowd, flood, frames, idle, stores};

/// Multiples of the smallest amount of work.
const FACTORS: [u32; 3] = [1, 4, 16];
/// The first user with stored messages.
const FIRST_MAILBOX: u32 = 50_001;

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let wanted = |name| name == PeerName::Chatpush;
    bench.run_rounds(&mut outcome, wanted, |_, outcome| {
        for factor in FACTORS {
            eprintln!("    {factor}×");
            measure(bench, factor, outcome)?;
        }
        Ok(())
    });
    let mut lines = Chart::lines("Cost per unit of work, relative to 1×", "times the work", "times the cost");
    for metric in outcome.metrics.all() {
        for (factor, value) in relative(metric) {
            lines.add_point(&metric.name, factor, value);
        }
    }
    outcome.charts.push(("growth".to_owned(), lines));
    Ok(outcome)
}

fn measure(bench: &Bench<'_>, factor: u32, outcome: &mut Outcome) -> anyhow::Result<()> {
    let column = format!("{factor}×");
    // A quick run does a fifth of the work, and half of the stores.
    let divisor = bench.choose(1, 5);
    let mut note = |what: &str, unit, value| outcome.metrics.record(what, unit, &column, value);
    bench.env.clear_messages()?;

    let peer = chatpush::start(bench.env)?;
    let users = 250 * factor;
    let mut clients = Clients::connect(&peer.connect_specs(1..=users), ConnectOptions::default())?;
    let calls = repeat(bench, &peer, "push", (1, users), 3_000 / divisor)?;
    note("pushMessage, 250 connected users at 1×", "µs", calls);
    let rate = 250 * factor;
    let delivered = frames::deliver(bench.env, &peer, &mut clients, 250, rate, rate * 10 / divisor)?;
    let received = delivered.received.counts.received.max(1) as f64;
    let used = (delivered.used.0 + delivered.used.1) / received * 100_000.0;
    note("CPU per 100,000 frames, 250 messages/s at 1×", "s", used);
    drop(clients);

    let mut clients = Clients::connect(&peer.connect_specs(1..=1_000), ConnectOptions::default())?;
    let calls = 10_000 * factor / divisor;
    let flooded = flood::flood(bench.env, &peer, &mut clients, 4, calls, Duration::ZERO)?;
    let received = flooded.received.counts.received.max(1) as f64;
    note("flood, per message, 40,000 messages at 1×", "µs", flooded.seconds / received * 1e6);
    drop(clients);

    let calls = 125 * factor / divisor.min(2);
    let stored = stores::store(bench.env, &peer, &peer.php, 16, calls, Duration::ZERO)?;
    let rows = stored.called.accepted().max(1) as f64;
    note("stores by 16 callers, per row, 2,000 rows at 1×", "µs", stored.called.seconds() / rows * 1e6);

    let messages = 20 * factor;
    fill_mailboxes(bench, messages)?;
    let fetched = repeat(bench, &peer, "fetch", (FIRST_MAILBOX, 50), 500 / divisor)?;
    note("getOfflineMessage, per row, 20 rows at 1×", "µs", fetched / f64::from(messages));
    drop(peer);

    let peer = chatpush::start(bench.env)?;
    let cost = idle::measure_connections(bench, &peer, 900 * factor / divisor, Duration::from_secs(1))?;
    note("memory per connection, 900 connections at 1×", "KiB", cost.memory / 1024.0);
    drop(peer);

    bench.env.clear_messages()?;
    let peer = chatpush::start(bench.env)?;
    let users = 600 * factor / divisor;
    crowd::fill(bench.env, &peer.php, users)?;
    let returned = crowd::reconnect(bench.env, &peer, users)?;
    note("reconnect, per user, 600 users at 1×", "µs", returned.delivered / f64::from(users) * 1e6);
    Ok(())
}

/// The median time of a call, in microseconds.
fn repeat(bench: &Bench<'_>, peer: &Peer, call: &str, users: (u32, u32), calls: u32) -> anyhow::Result<f64> {
    let called = call_repeatedly(&peer.php, call, users, calls, bench.choose(200, 20))?;
    Ok(called.latencies.percentile(50.0))
}

/// Replaces the messages of 50 users.
fn fill_mailboxes(bench: &Bench<'_>, messages: u32) -> anyhow::Result<()> {
    let last = FIRST_MAILBOX + 49;
    bench.env.sql(&format!(
        "DELETE FROM offline_message WHERE receiver_id BETWEEN {FIRST_MAILBOX} AND {last}; \
         INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, u.seq, REPEAT('x', {CONTENT_BYTES}), NOW() \
         FROM seq_{FIRST_MAILBOX}_to_{last} u, seq_1_to_{messages} m"
    ))?;
    Ok(())
}

/// The medians relative to the first, by factor.
fn relative(metric: &Metric) -> Vec<(f64, f64)> {
    let median = |factor: u32| metric.of(&format!("{factor}×")).map(|spread| spread.median);
    let Some(first) = median(FACTORS[0]) else { return Vec::new() };
    FACTORS.iter().filter_map(|factor| Some((f64::from(*factor), median(*factor)? / first))).collect()
}
