//! The command line.

use clap::Parser;

use crate::fault::FaultKind;

/// Breaks Redis, MariaDB, daemons, PHP workers and the connections between them, and checks that no message
/// was lost, doubled or moved, and no counter drifted.
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-chaos", version)]
pub struct Arguments {
    /// How long to break things
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// The same seed draws the same faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Which faults, separated by commas [default: all of them]
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    pub faults: Vec<FaultKind>,
    /// Daemons side by side
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub daemons: u8,
    /// PHP workers
    #[arg(long, default_value_t = 6)]
    pub workers: u32,
    /// Users, each with a client
    #[arg(long, default_value_t = 40)]
    pub users: u32,
    /// Keep the folder of data and logs also when all is well
    #[arg(long)]
    pub keep: bool,
    /// Keep no folder, whatever is found
    #[arg(long, hide = true)]
    pub discard: bool,
    /// Run daemons that break a promise on purpose (they must be built with the feature `fault_injection`)
    #[arg(long, hide = true)]
    pub fault_injection: Option<String>,
}
