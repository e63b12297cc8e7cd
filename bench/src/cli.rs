//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::peers::PeerName;
use crate::scenarios::Scenario;

/// Measures chatpush beside what a user would pick instead: everything that is installed, in turn, in rounds.
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-bench", bin_name = "./dev bench", version)]
pub struct Arguments {
    /// Which scenarios [default: all of them]
    #[arg(value_name = "NAME")]
    pub scenarios: Vec<Scenario>,
    /// Name the scenarios and the peers, and say what is missing
    #[arg(long)]
    pub list: bool,
    /// Little of each, in one round, to see that all of it works; the results go to target/bench
    #[arg(long)]
    pub quick: bool,
    /// How often each peer has its turn [default: 5, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: Option<u32>,
    /// Which peers, separated by commas [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_name = "PEER")]
    pub peers: Vec<PeerName>,
    /// When Redis syncs its append-only file: `everysec` is its default, with `always` a crash loses nothing queued
    #[arg(long, default_value = "everysec", value_parser = ["everysec", "always"], value_name = "WHEN")]
    pub appendfsync: String,
    /// Where results are written [default: docs/bench]
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Fetch and build these peers, or all, and measure nothing
    #[arg(long, value_name = "PEER", num_args = 0..)]
    pub install: Option<Vec<PeerName>>,
}
