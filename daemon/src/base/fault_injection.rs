//! Promises that can be broken on purpose, so that the tests of faults are seen to notice. Only built with the
//! feature `fault_injection`; without it every question is answered by a constant no.

/// A promise that a test can have broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A writer that is not the writer any more commits nothing: `fence`.
    Fence,
    /// A row goes only when a client has confirmed it: `confirm`.
    Confirm,
    /// What was accepted before a question is in MySQL before it is answered: `barrier`.
    Barrier,
}

/// Whether `CHATPUSH_FAULT_INJECTION` names the promise.
#[cfg(feature = "fault_injection")]
pub fn breaks(promise: Promise) -> bool {
    let name = match promise {
        Promise::Fence => "fence",
        Promise::Confirm => "confirm",
        Promise::Barrier => "barrier",
    };
    std::env::var("CHATPUSH_FAULT_INJECTION").is_ok_and(|broken| broken == name)
}

/// No.
#[cfg(not(feature = "fault_injection"))]
pub const fn breaks(_promise: Promise) -> bool {
    false
}
