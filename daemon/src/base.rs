//! What every other group may use: the clock, metrics, backoff, and faults injected for tests.

pub mod backoff;
pub mod clock;
pub mod fault_injection;
pub mod metrics;
