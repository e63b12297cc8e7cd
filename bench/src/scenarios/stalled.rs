//! Some clients never read. What it is to the others, and to the server's memory, side by side with the same
//! traffic while everybody reads.

use crate::clients::{Clients, ConnectOptions, Received};
use crate::peers::PeerName;
use crate::publisher::OpenLoop;
use crate::scenarios::{Bench, CONTENT_BYTES, IDLE_TIMEOUT, Outcome};
use crate::usage;

/// Messages a second to those who read.
const RATE: u32 = 1_000;
/// Messages a second to the others, and bytes of each: more than buffers of sockets hold in the end.
const FLOOD: (u32, u32) = (2_000, 8_192);
/// Number of the first publisher who writes to them.
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
                turn(bench, name, stalled, outcome)?;
            }
            Ok(())
        },
    );
    let (all, few) = numbers(bench);
    outcome.notes.push(format!(
        "{all} connections; {few} of them get {} messages of {} bytes a second, which they read or never read",
        FLOOD.0, FLOOD.1
    ));
    Ok(outcome)
}

/// All connections, and those of them that may be stalled.
fn numbers(bench: &Bench<'_>) -> (u32, u32) {
    bench.choose((5_000, 500), (500, 50))
}

fn turn(bench: &Bench<'_>, name: PeerName, stalled: bool, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (all, few) = numbers(bench);
    let seconds = bench.choose(30, 2);
    let peer = name.start(bench.env)?;
    let mut readers = Clients::connect(&peer.connect_specs(1..=all - few), ConnectOptions::default())?;
    let options = ConnectOptions { stalled, ..ConnectOptions::default() };
    let mut others = Clients::connect(&peer.connect_specs(all - few + 1..=all), options)?;
    let pids = peer.pids();
    let before = (usage::memory(&pids), usage::socket_buffers());

    let load = OpenLoop {
        first_user: 1,
        users: all - few,
        rate: RATE,
        messages: RATE * seconds,
        content_bytes: CONTENT_BYTES,
        publisher: 0,
    };
    let flood = OpenLoop {
        first_user: all - few + 1,
        users: few,
        rate: FLOOD.0,
        messages: FLOOD.0 * seconds,
        content_bytes: FLOOD.1,
        publisher: FLOOD_PUBLISHER,
    };
    let (mut calm, mut wild) = (load.start(&peer.php)?, flood.start(&peer.php)?);
    wild.begin()?;
    calm.begin()?;
    let called = calm.finish()?;
    wild.finish()?;
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
    note("others' connections lost", "", readers.progress()?.gone as f64);
    // A deaf client does not see that it is closed, but the kernel does.
    let closed = if stalled { usage::half_closed()? } else { others.progress()?.gone };
    note("flooded connections closed by the server", "", closed as f64);
    let caption =
        format!("Latency of the clients that read, {what}: {all} connections, {few} of them flooded");
    outcome.add_curve(
        if stalled { "stalled-not-reading" } else { "stalled-reading" },
        &caption,
        title,
        &received.intended,
    );
    Ok(())
}
