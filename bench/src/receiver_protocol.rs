//! What the bench tells a receiver process, and what it hears, one JSON value a line.

use serde::{Deserialize, Serialize};

use crate::connect_spec::ConnectSpec;
use crate::latency::Buckets;
use crate::ledger::Counts;

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Open these connections.
    Connect {
        /// One for each.
        specs: Vec<ConnectSpec>,
        /// How many may be opening at a time.
        max_opening: usize,
        /// Whether they are left alone, unread, once they are open.
        stalled: bool,
    },
    /// Say how far it is.
    Progress,
    /// Say everything, and forget it.
    Report,
    /// Close every connection.
    Leave,
}

/// How far a receiver is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Connections that are still to be opened.
    pub opening: usize,
    /// Connections that are open and ready.
    pub ready: usize,
    /// Connections that failed or were closed by the server.
    pub gone: usize,
    /// Why the first of them.
    pub why: String,
    /// Different messages so far.
    pub received: u64,
    /// When the latest of them came, in nanoseconds of [`crate::clock`].
    pub latest: u64,
}

/// What a receiver has seen since the last report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReceiverReport {
    /// What came.
    pub counts: Counts,
    /// How late, from the intended time on.
    pub intended: Buckets,
    /// How late, from the beginning of the call on.
    pub called: Buckets,
    /// When the latest came, in nanoseconds of [`crate::clock`].
    pub latest: u64,
}
