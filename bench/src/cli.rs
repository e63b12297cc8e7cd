//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::peers::PeerName;
use crate::scenarios::Scenario;

/// Measures chatpush and the alternatives that are installed (the peers), each once per round.
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-bench", bin_name = "./dev bench", version)]
pub struct Arguments {
    /// Scenarios to run [default: all]
    #[arg(value_name = "NAME")]
    pub scenarios: Vec<Scenario>,
    /// List the scenarios and the peers, and how to install those that are missing
    #[arg(long)]
    pub list: bool,
    /// Run a short version of each scenario in one round, to check that it works; results go to target/bench
    #[arg(long)]
    pub quick: bool,
    /// Number of rounds; each measures every peer once [default: 5, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// Peers to measure, separated by commas [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_name = "PEER")]
    pub peers: Vec<PeerName>,
    /// The setting `appendfsync` of Redis: `everysec` is its default; with `always`, a crash loses no queued
    /// message
    #[arg(long, default_value = "everysec", value_parser = ["everysec", "always"], value_name = "WHEN")]
    pub appendfsync: String,
    /// Folder for the results [default: docs/bench]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Fetch and build these peers (all if none is named) and exit
    #[arg(long, value_name = "PEER", num_args = 0..)]
    pub install: Option<Vec<PeerName>>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Before the program is built, `./dev bench --help` prints a usage of its own.
    #[test]
    fn usage_in_dev_names_every_option() {
        let (_, rest) = include_str!("../../dev").split_once("Usage: ./dev bench ").unwrap();
        let (usage, _) = rest.split_once("\nTEXT").unwrap();
        for argument in Arguments::command().get_arguments().filter(|argument| !argument.is_hide_set()) {
            let Some(long) = argument.get_long() else { continue };
            assert!(usage.contains(&format!("[--{long}")), "--{long} is missing: {usage}");
        }
    }
}
