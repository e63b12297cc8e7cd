//! The command line.

use clap::Parser;

/// Starts a daemon and sends mutated handshakes and frames to it
#[derive(Clone, Debug, Parser)]
#[command(name = "chatpush-fuzz-live", version)]
pub(crate) struct Arguments {
    /// How long to run
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// The same seed produces the same clients
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
