//! The open-file limit: a connection is a file, and the usual limit of 1,024 is for other programs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
