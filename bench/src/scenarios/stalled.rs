//! Some clients never read. What it is to the others, and to the server's memory, side by side with the same
//! traffic while everybody reads.

use crate::crowd::{Crowd, Manner, Seen};
use crate::peers::PeerName;
use crate::publisher::Timetable;
use crate::scenarios::{Bench, IDLE_TIMEOUT, Outcome, SIZE};
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
    bench.in_turn(
        &mut outcome,
        |name| name != PeerName::Baseline,
        |name, outcome| {
            for deaf in [false, true] {
                turn(bench, name, deaf, outcome)?;
            }
            Ok(())
        },
    );
    let (all, few) = numbers(bench);
    outcome.notes.push(format!(
        "{all} connections; {few} of them get {} messages of {} bytes a second, and read them or never do",
        FLOOD.0, FLOOD.1
    ));
    Ok(outcome)
}

/// All connections, and those of them that may be deaf.
fn numbers(bench: &Bench<'_>) -> (u32, u32) {
    bench.choose((5_000, 500), (500, 50))
}

fn turn(bench: &Bench<'_>, name: PeerName, deaf: bool, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (all, few) = numbers(bench);
    let seconds = bench.choose(30, 2);
    let peer = name.start(bench.env)?;
    let mut readers = Crowd::connect(&peer.connect_specs(1..=all - few), Manner::default())?;
    let manner = Manner { deaf, ..Manner::default() };
    let mut others = Crowd::connect(&peer.connect_specs(all - few + 1..=all), manner)?;
    let pids = peer.pids();
    let before = (usage::resident(&pids), usage::socket_buffers());

    let timetable = Timetable {
        first: 1,
        users: all - few,
        rate: RATE,
        messages: RATE * seconds,
        size: SIZE,
        publisher: 0,
    };
    let flood = Timetable {
        first: all - few + 1,
        users: few,
        rate: FLOOD.0,
        messages: FLOOD.0 * seconds,
        size: FLOOD.1,
        publisher: FLOOD_PUBLISHER,
    };
    let (mut calm, mut wild) = (timetable.start(&peer.php)?, flood.start(&peer.php)?);
    wild.begin()?;
    calm.begin()?;
    let called = calm.finish()?;
    wild.finish()?;
    let after = (usage::resident(&pids), usage::socket_buffers());
    readers.settle(called.accepted(), IDLE_TIMEOUT)?;
    let seen: Seen = readers.report()?;

    let (title, what) = (name.title(), if deaf { "with deaf clients" } else { "while all read" });
    outcome.note_delays(&format!("others' delay {what}"), title, &seen.intended, &[50.0, 99.0]);
    let mebibytes = |bytes: f64| bytes / 1_048_576.0;
    let mut note =
        |name: &str, unit, value| outcome.figures.note(&format!("{name} {what}"), unit, title, value);
    note("server's memory more than before,", "MiB", mebibytes(after.0 - before.0));
    note("the kernel's buffers more than before,", "MiB", mebibytes(after.1 - before.1));
    note("memory before,", "MiB", mebibytes(before.0));
    note("others' messages lost", "", seen.counts.lost(called.accepted()) as f64);
    note("others' connections lost", "", readers.progress()?.gone as f64);
    // A deaf client does not see that it is closed, but the kernel does.
    let closed = if deaf { usage::half_closed()? } else { others.progress()?.gone };
    note("flooded connections closed by the server", "", closed as f64);
    let caption = format!("Delay of those who read, {what}: {all} connections, {few} of them flooded");
    outcome.add_curve(if deaf { "stalled-deaf" } else { "stalled-reading" }, &caption, title, &seen.intended);
    Ok(())
}
