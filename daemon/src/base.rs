//! What every other group may use: the clock, error texts, metrics, the steps of messages, backoff and pauses, what
//! gathers until it is recorded, a task's last error, what commands print, and faults injected for tests.

pub(crate) mod backoff;
pub(crate) mod clock;
pub(crate) mod error_text;
pub(crate) mod fault_injection;
pub(crate) mod gathered;
pub(crate) mod last_error;
pub(crate) mod message_log;
pub mod metrics;
pub(crate) mod output;
pub(crate) mod pause;
pub(crate) mod slots;
