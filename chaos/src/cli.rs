//! The command line.

use clap::Parser;

use crate::engine::Engine;
use crate::fault::FaultKind;

/// Breaks Redis, MariaDB, daemons, PHP workers and the connections between them, and checks that no message
/// is lost, duplicated or out of order, and that the counters are right
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-chaos", version)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of the command line, each on its own")]
pub struct Arguments {
    /// How long to inject faults
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// The same seed draws the same schedule of faults
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The faults to inject, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    pub faults: Vec<FaultKind>,
    /// Use the tables of an application that has a history, counts conversations and sends to groups; the
    /// seed chooses the types of ids and columns, and where the counters are
    #[arg(long)]
    pub applications: bool,
    /// The servers behind the daemons
    #[arg(long, value_enum, value_name = "ENGINE", default_value_t)]
    pub engine: Engine,
    /// Send webhooks to an application that answers some of them with an error or not at all, and keeps a ledger
    #[arg(long)]
    pub notifications: bool,
    /// With --notifications: tell of unread messages (`notify.when = "unread"`), to users who read now and then
    #[arg(long, requires = "notifications")]
    pub unread: bool,
    /// Number of daemons
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub daemons: u8,
    /// Number of PHP workers
    #[arg(long, default_value_t = 6)]
    pub workers: u32,
    /// Number of users, each with one client [default: 40, with --applications 60]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=6_000))]
    pub users: Option<u32>,
    /// Keep the folder with data and logs, also without violations
    #[arg(long)]
    pub keep: bool,
    /// Remove the folder, also with violations
    #[arg(long, hide = true)]
    pub discard: bool,
    /// Run daemons that break this guarantee (built with the feature `fault_injection`)
    #[arg(long, hide = true)]
    pub fault_injection: Option<String>,
}

impl Arguments {
    /// The number of users. A group of an application has fifty.
    pub fn users(&self) -> u32 {
        self.users.unwrap_or(if self.applications { 60 } else { 40 })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Before the program is built, `./dev chaos --help` prints a usage of its own.
    #[test]
    fn usage_in_dev_names_every_option() {
        let (_, rest) = include_str!("../../dev").split_once("Usage: ./dev chaos ").unwrap();
        let (usage, _) = rest.split_once("\nTEXT").unwrap();
        for argument in Arguments::command().get_arguments().filter(|argument| !argument.is_hide_set()) {
            let Some(long) = argument.get_long() else { continue };
            assert!(usage.contains(&format!("[--{long}")), "--{long} is missing: {usage}");
        }
    }
}
