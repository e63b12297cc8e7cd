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

/// What is known when a server took the call, and another one may have its place now, which replicated less.
const REPLACED: &Unanswered = &Unanswered {
    known: Known::Unknown,
    text: "the call was queued, but the connection broke before it was done, and a master that has replaced this one \
           may not have it: the outcome is unknown",
};

/// What is known when no answer has come, and the sentence about it for PHP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unanswered {
    /// For programs.
    pub(crate) known: Known,
    /// For people.
    pub(crate) text: &'static str,
}

impl Unanswered {
    /// What of this is still known once the master may be another one.
    pub(super) const fn after_failover(&'static self) -> &'static Self {
        match self.known {
            Known::Queued => REPLACED,
            Known::NotQueued | Known::Unknown => self,
        }
    }

    /// What is known from two tries: what the later one says, unless an earlier one was queued.
    pub(super) fn after(&'static self, before: Option<&'static Self>) -> &'static Self {
        before.filter(|before| before.known == Known::Queued).unwrap_or(self)
    }
}
