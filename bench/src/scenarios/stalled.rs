//! Some clients never read: how that affects the other clients' latency and the server's memory, compared
//! with the same traffic while all clients read.

use crate::clients::{Clients, ConnectOptions, Received};
use crate::peers::PeerName;
use crate::publisher::OpenLoop;
use crate::scenarios::{Bench, CONTENT_BYTES, IDLE_TIMEOUT, Outcome};
use crate::usage;

/// Messages per second to the clients that read.
const RATE: u32 = 1_000;
/// Messages per second to the flooded clients, and the length of each: in total more than the socket buffers
/// hold.
const FLOOD: (u32, u32) = (2_000, 8_192);
/// The number of the first publisher to the flooded clients.
const FLOOD_PUBLISHER: u32 = 500;

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.env.clear_messages()?;
    bench.run_rounds(
        &mut outcome,
        |name| name != PeerName::Baseline,
        |name, outcome| {
            for stalled in [false, true] {
                measure(bench, name, stalled, outcome)?;
            }
            Ok(())
        },
    );
    let (all, flooded) = connections(bench);
    outcome.notes.push(format!(
        "{all} connections; {flooded} of them get {} messages of {} bytes a second, \
         which they read or never read",
        FLOOD.0, FLOOD.1
    ));
    Ok(outcome)
}

/// The number of all connections, and of the flooded ones.
fn connections(bench: &Bench<'_>) -> (u32, u32) {
    bench.choose((5_000, 500), (500, 50))
}

fn measure(bench: &Bench<'_>, name: PeerName, stalled: bool, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (all, flooded) = connections(bench);
    let seconds = bench.choose(30, 2);
    let peer = name.start(bench.env)?;
    let mut readers = Clients::connect(&peer.connect_specs(1..=all - flooded), ConnectOptions::default())?;
    let options = ConnectOptions { stalled, ..ConnectOptions::default() };
    let mut flooded_clients = Clients::connect(&peer.connect_specs(all - flooded + 1..=all), options)?;
    let pids = peer.pids();
    let before = (usage::memory(&pids), usage::socket_buffers());

    let load = OpenLoop {
        first_user: 1,
        users: all - flooded,
        rate: RATE,
        messages: RATE * seconds,
        content_bytes: CONTENT_BYTES,
        publisher: 0,
    };
    let flood = OpenLoop {
        first_user: all - flooded + 1,
        users: flooded,
        rate: FLOOD.0,
        messages: FLOOD.0 * seconds,
        content_bytes: FLOOD.1,
        publisher: FLOOD_PUBLISHER,
    };
    let (mut publishers, mut flooders) = (load.start(&peer.php)?, flood.start(&peer.php)?);
    flooders.begin()?;
    publishers.begin()?;
    let called = publishers.finish()?;
    flooders.finish()?;
    let after = (usage::memory(&pids), usage::socket_buffers());
    readers.settle(called.accepted(), IDLE_TIMEOUT)?;
    let received: Received = readers.report()?;

    let (title, what) = (name.title(), if stalled { "while some never read" } else { "while all read" });
    outcome.record_percentiles(&format!("others' latency {what}"), title, &received.intended, &[50.0, 99.0]);
    let mebibytes = |bytes: f64| bytes / 1_048_576.0;
    let mut note =
        |name: &str, unit, value| outcome.metrics.record(&format!("{name} {what}"), unit, title, value);
    note("growth of the server's memory", "MiB", mebibytes(after.0 - before.0));
    note("growth of the kernel's socket buffers", "MiB", mebibytes(after.1 - before.1));
    note("memory of the server at the start,", "MiB", mebibytes(before.0));
    note("others' messages lost", "", received.counts.lost(called.accepted()) as f64);
    note("others' connections lost", "", readers.progress()?.failed as f64);
    // A stalled client does not read that its connection was closed, but the kernel knows.
    let closed = if stalled { usage::half_closed()? } else { flooded_clients.progress()?.failed };
    note("flooded connections closed by the server", "", closed as f64);
    let caption =
        format!("Latency of the clients that read, {what}: {all} connections, {flooded} of them flooded");
    outcome.add_curve(
        if stalled { "stalled-not-reading" } else { "stalled-reading" },
        &caption,
        title,
        &received.intended,
    );
    Ok(())
}
