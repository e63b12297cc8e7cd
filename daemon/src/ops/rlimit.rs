//! The open-file limit: a connection is a file, and the usual limit of 1,024 is for other programs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::edge::admission::HANDSHAKES;

/// Files beside those of clients: Redis, MySQL, listeners, the library's own.
const SPARE: u64 = 64;

/// How many connections there may be with so many files.
pub fn connections(files: u64) -> u64 {
    files.saturating_sub(SPARE + HANDSHAKES as u64).max(1)
}

/// Raises the limit of this process to what it is allowed to, without asking for more rights (`setrlimit(2)`).
/// Returns what it is now; nothing if there is none.
pub fn raise_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the open-file limit stays as it is");
            limit.current
        }
    }
}
