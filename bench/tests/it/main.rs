//! The measurements measured: what is known beforehand has to come out.

/// Faults that are put in on purpose.
mod faults;
/// A publisher that stalls.
mod stall;
