//! What a run prints at its end.

use std::collections::BTreeMap;

use super::faults::Recoveries;
use crate::checker::Tables;
use crate::cli::Arguments;
use crate::history::History;

/// Prints it.
pub(super) fn report(
    arguments: &Arguments,
    history: &History,
    recoveries: &Recoveries,
    tables: &Tables,
    found: &[String],
) {
    println!(
        "\nseed {}, {} s, {} daemons, {} workers, {} users\n",
        arguments.seed,
        arguments.seconds,
        arguments.daemons,
        arguments.workers,
        arguments.users()
    );
    println!("{:<18} {:>6} {:>12} {:>12}", "fault", "times", "median", "longest");
    for (kind, times) in recoveries {
        let mut times = times.clone();
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{kind:<18} {:>6} {:>9} ms {:>9} ms", times.len(), median.as_millis(), longest.as_millis());
    }
    let mut operations: BTreeMap<&str, u64> = BTreeMap::new();
    for message in history.messages.values() {
        *operations.entry(message.operation.as_str()).or_default() += 1;
    }
    let stored = history.messages.values().filter(|message| message.is_stored()).count();
    let shown: usize = history.connections.iter().map(|connection| connection.shown.len()).sum();
    println!("\n(median and longest time without a successful store, over all workers)\n");
    println!("messages   {stored} ({operations:?})");
    println!("calls      {:?}", history.outcomes.iter().collect::<BTreeMap<_, _>>());
    println!("clients    {} connections, {shown} messages received", history.connections.len());
    println!("refused    {} by MySQL", tables.dead.len());
    if tables.is_application {
        let recalled = history.messages.values().filter(|message| message.is_recalled()).count();
        let (rows, parts) = (tables.after.len(), tables.parts.len());
        println!(
            "tables     {rows} rows of the history, {parts} counters of conversations, {recalled} recalled"
        );
    }
    println!("violations {}", found.len());
    // Some of each kind.
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for violation in found {
        // What is left without names and numbers.
        let words =
            violation.split(' ').filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()));
        let number = kinds.entry(words.take(3).collect::<Vec<_>>().join(" ")).or_default();
        *number += 1;
        if *number <= 10 {
            println!("  {violation}");
        }
    }
    for (kind, number) in kinds.iter().filter(|(_, number)| **number > 10) {
        println!("  … {number} in all: {kind}");
    }
}
