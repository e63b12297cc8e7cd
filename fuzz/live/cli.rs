//! The command line.

use clap::Parser;

/// Starts a daemon and sends it mutated handshakes and frames.
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-fuzz-live", version)]
pub(crate) struct Arguments {
    /// How long to go on
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// The same seed makes the same strangers
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
