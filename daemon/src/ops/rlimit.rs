//! The open-file limit: every connection is a file, and the usual limit is 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Limits;
use crate::edge::admission::HANDSHAKE_SOCKETS;
use crate::edge::listener::REJECTING;

/// Files besides those of clients: Redis, MySQL, listeners, the runtime's own.
const RESERVED_FILES: u64 = 64;

/// How many connections are possible with so many open files.
pub(crate) fn connections(files: u64) -> u64 {
    files.saturating_sub(RESERVED_FILES + (HANDSHAKE_SOCKETS + REJECTING) as u64).max(1)
}

/// Raises the soft limit of this process to its hard limit (`setrlimit(2)`). Returns the limit now in force;
/// `None` if there is none.
pub(crate) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the open-file limit");
            limit.current
        }
    }
}

/// Raises the open-file limit, and lowers `limits.connections` if it still allows no more.
pub(crate) fn raise_and_apply(limits: &mut Limits) {
    let possible = raise().map(connections).and_then(|possible| usize::try_from(possible).ok());
    if let Some(possible) = possible.filter(|possible| *possible < limits.connections) {
        tracing::warn!(
            connections = possible,
            "fewer than limits.connections: the open-file limit allows no more (LimitNOFILE in systemd)"
        );
        limits.connections = possible;
    }
}
