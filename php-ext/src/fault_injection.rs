//! Promises that can be broken on purpose, to show that the fault tests detect it. Compiled in only with the
//! feature `fault_injection`; without it [`breaks`] is the constant `false`.

/// A promise that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A push is that of a fetched row only with the row's very string, not with the same words: `words`.
    Words,
    /// What is queued is not reported as a failure, which the caller would repeat: `queued`.
    Queued,
    /// A database of Redis that no daemon uses is refused: `database`.
    Database,
}

/// Whether `CHATPUSH_FAULT_INJECTION` names this promise.
#[cfg(feature = "fault_injection")]
pub(crate) fn breaks(promise: Promise) -> bool {
    let name = match promise {
        Promise::Words => "words",
        Promise::Queued => "queued",
        Promise::Database => "database",
    };
    std::env::var("CHATPUSH_FAULT_INJECTION").is_ok_and(|broken| broken == name)
}

/// Always `false` in a normal build.
#[cfg(not(feature = "fault_injection"))]
pub(crate) const fn breaks(_promise: Promise) -> bool {
    false
}
