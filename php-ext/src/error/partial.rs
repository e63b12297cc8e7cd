//! A call for many receivers that failed for some.

use std::fmt;

use chatpush_wire::id::UserId;

use crate::delivery::Delivery;
use crate::outcome::Outcome;

use super::Error;

/// What became of a message for each receiver, where it failed for at least one.
#[derive(Debug)]
pub(crate) struct Partial {
    /// For whom it succeeded, in the order of the list.
    pub(crate) deliveries: Vec<(UserId, Delivery)>,
    /// What is known of the others, in the order of the list.
    pub(crate) outcomes: Vec<(UserId, Outcome)>,
    /// What is known of the worst of them.
    pub(crate) outcome: Outcome,
    /// Why it failed for that one: of those with that outcome, one whose cause may pass, if there is one.
    pub(crate) cause: Box<Error>,
    /// Whether a repeated call is the same message, and may succeed for one of those that are not queued.
    pub(crate) may_be_completed: bool,
}

impl Partial {
    /// Whether the same is known of all receivers, so that the cause says it.
    pub(crate) fn is_whole(&self) -> bool {
        self.deliveries.is_empty()
            && self.cause.outcome() == self.outcome
            && self.outcomes.iter().all(|(_, outcome)| *outcome == self.outcome)
    }

    /// Whether the same call may complete later something that is missing, and repeating it does no harm.
    pub(crate) fn is_retryable(&self) -> bool {
        if self.is_whole() { self.cause.is_retryable() } else { self.may_be_completed }
    }

    /// The receivers whose message is or will be stored, and how.
    pub(crate) fn stored(&self) -> Vec<(UserId, Delivery)> {
        let queued = self.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Queued);
        let queued = queued.map(|(user, _)| (user.clone(), Delivery::Stored));
        self.deliveries.iter().cloned().chain(queued).collect()
    }
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, failed) = (self.deliveries.len(), self.outcomes.len());
        write!(f, "{failed} of {} receivers failed, see getOutcomes()", done + failed)
    }
}
