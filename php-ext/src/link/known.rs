//! What is known of the effect of a call that failed.

/// What is known of the effect of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing was queued or published, and nothing will be. A query changes nothing, so it is always this.
    /// The call can be repeated.
    NotQueued,
    /// It is in the log and will be done once. It must not be repeated.
    Queued,
    /// It may have been done.
    Unknown,
}

/// What is known when no answer has come, and the sentence about it for PHP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unanswered {
    /// For programs.
    pub(crate) known: Known,
    /// For people.
    pub(crate) text: &'static str,
}
