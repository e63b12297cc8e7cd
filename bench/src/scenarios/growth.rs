//! What a unit of work costs the product at 1, 4 and 16 times the work. It has to stay what it is.

use std::time::Duration;

use crate::clients::{Clients, ConnectOptions};
use crate::metrics::Metric;
use crate::peer::Peer;
use crate::peers::{PeerName, chatpush};
use crate::plot::Chart;
use crate::publisher::ClosedLoop;
use crate::scenarios::{Bench, CONTENT_BYTES, Outcome, crowd, flood, frames, idle, stores};

const TIMES: [u32; 3] = [1, 4, 16];
/// The first user with a mailbox that is read.
const READ: u32 = 50_001;

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let wanted = |name| name == PeerName::Chatpush;
    bench.run_rounds(&mut outcome, wanted, |_, outcome| {
        for times in TIMES {
            eprintln!("    {times}×");
            turn(bench, times, outcome)?;
        }
        Ok(())
    });
    let mut lines = Chart::lines("Cost per unit of work, relative to 1×", "times the work", "times the cost");
    for metric in outcome.metrics.all() {
        for (times, value) in relative(metric) {
            lines.add_point(&metric.name, times, value);
        }
    }
    outcome.charts.push(("growth".to_owned(), lines));
    Ok(outcome)
}

fn turn(bench: &Bench<'_>, times: u32, outcome: &mut Outcome) -> anyhow::Result<()> {
    let column = format!("{times}×");
    let small = bench.choose(1, 5);
    let mut note = |what: &str, unit, value| outcome.metrics.record(what, unit, &column, value);
    bench.env.clear_messages()?;

    let peer = chatpush::start(bench.env)?;
    let users = 250 * times;
    let mut clients = Clients::connect(&peer.connect_specs(1..=users), ConnectOptions::default())?;
    let calls = repeat(bench, &peer, "push", (1, users), 3_000 / small)?;
    note("pushMessage, 250 connected users at 1×", "µs", calls);
    let rate = 250 * times;
    let delivered = frames::deliver(bench.env, &peer, &mut clients, 250, rate, rate * 10 / small)?;
    let received = delivered.received.counts.received.max(1) as f64;
    let used = (delivered.used.0 + delivered.used.1) / received * 100_000.0;
    note("CPU per 100,000 frames, 250 messages/s at 1×", "s", used);
    drop(clients);

    let mut clients = Clients::connect(&peer.connect_specs(1..=1_000), ConnectOptions::default())?;
    let calls = 10_000 * times / small;
    let flooded = flood::flood(bench.env, &peer, &mut clients, 4, calls, Duration::ZERO)?;
    let received = flooded.received.counts.received.max(1) as f64;
    note("flood, per message, 40,000 messages at 1×", "µs", flooded.seconds / received * 1e6);
    drop(clients);

    let calls = 125 * times / small.min(2);
    let stored = stores::store(bench.env, &peer, &peer.php, 16, calls, Duration::ZERO)?;
    let rows = stored.called.accepted().max(1) as f64;
    note("stores by 16 callers, per row, 2,000 rows at 1×", "µs", stored.called.seconds() / rows * 1e6);

    let messages = 20 * times;
    mailboxes(bench, messages)?;
    let fetched = repeat(bench, &peer, "fetch", (READ, 50), 500 / small)?;
    note("getOfflineMessage, per row, 20 rows at 1×", "µs", fetched / f64::from(messages));
    drop(peer);

    let peer = chatpush::start(bench.env)?;
    let cost = idle::measure_connections(bench, &peer, 900 * times / small, Duration::from_secs(1))?;
    note("memory per connection, 900 connections at 1×", "KiB", cost.resident / 1024.0);
    drop(peer);

    bench.env.clear_messages()?;
    let peer = chatpush::start(bench.env)?;
    let users = 600 * times / small;
    crowd::fill(bench.env, &peer.php, users)?;
    let returned = crowd::reconnect(bench.env, &peer, users)?;
    note("reconnect, per user, 600 users at 1×", "µs", returned.delivered / f64::from(users) * 1e6);
    Ok(())
}

/// The median of a call, in microseconds.
fn repeat(
    bench: &Bench<'_>,
    peer: &Peer,
    call: &str,
    (first_user, users): (u32, u32),
    calls: u32,
) -> anyhow::Result<f64> {
    let warmup = bench.choose(200, 20);
    let load = ClosedLoop {
        call,
        callers: 1,
        first_user,
        users,
        calls,
        duration: Duration::ZERO,
        content_bytes: CONTENT_BYTES,
        warmup,
    };
    Ok(load.start(&peer.php)?.run()?.latencies.percentile(50.0))
}

fn mailboxes(bench: &Bench<'_>, messages: u32) -> anyhow::Result<()> {
    let last = READ + 49;
    bench.env.sql(&format!(
        "DELETE FROM offline_message WHERE receiver_id BETWEEN {READ} AND {last}; \
         INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, u.seq, REPEAT('x', {CONTENT_BYTES}), NOW() FROM seq_{READ}_to_{last} u, seq_1_to_{messages} m"
    ))?;
    Ok(())
}

/// Medians against the first of them.
fn relative(metric: &Metric) -> Vec<(f64, f64)> {
    let median = |times: u32| metric.of(&format!("{times}×")).map(|spread| spread.median);
    let Some(first) = median(TIMES[0]) else { return Vec::new() };
    TIMES.iter().filter_map(|times| Some((f64::from(*times), median(*times)? / first))).collect()
}
