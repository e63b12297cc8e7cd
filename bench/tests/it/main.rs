//! The measurements measured: what is known beforehand has to come out.

// What the tests share fails as the tests do.
#![allow(clippy::expect_used)]

/// Faults that are put in on purpose.
mod faults;
/// A publisher that stalls.
mod stall;
