//! Tests of the bench itself: it must measure what is known beforehand.

// Helpers of the tests may panic like the tests.
#![allow(clippy::expect_used)]

/// Losses and faults of a server are counted exactly.
mod faults;
/// A stall of a publisher shows in the latencies.
mod stall;
