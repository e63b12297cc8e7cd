//! Requests to a receiver process and its responses, each one line of JSON.

use serde::{Deserialize, Serialize};

use crate::connect_spec::ConnectSpec;
use crate::latency::Buckets;
use crate::ledger::Counts;

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Open these connections. There is no response.
    Connect {
        /// One for each connection.
        specs: Vec<ConnectSpec>,
        /// How many may be opening at the same time.
        max_opening: usize,
        /// Whether to stop reading from a connection once it is subscribed.
        stalled: bool,
    },
    /// Respond with [`Progress`].
    Progress,
    /// Respond with a [`ReceiverReport`] and reset the counts.
    Report,
}

/// The state of a receiver's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Connections that are not open yet.
    pub opening: usize,
    /// Connections that are open and subscribed.
    pub ready: usize,
    /// Connections that failed or were closed by the server.
    pub failed: usize,
    /// The error of the first of them.
    pub reason: String,
    /// Distinct messages since the last report.
    pub received: u64,
    /// When the last message arrived, in nanoseconds of [`crate::clock`].
    pub latest: u64,
}

/// What a receiver has got since the last report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReceiverReport {
    /// Counts of messages.
    pub counts: Counts,
    /// Latencies from the scheduled time of each message.
    pub intended: Buckets,
    /// Latencies from the start of each PHP call.
    pub called: Buckets,
    /// When the last message arrived, in nanoseconds of [`crate::clock`].
    pub latest: u64,
}
