//! The tries of one call on a cluster, and what is known from them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chatpush_wire::address::Endpoint;

use super::super::error::LinkError;
use super::super::execute::failure;
use super::super::execute_error::ExecuteError;
use super::super::known::{Known, Unanswered};
use super::super::pauses::Pauses;
use super::super::slot::BACK_OFF;
use super::{Cluster, Failed, Outage};
use crate::settings::Settings;

/// What is left at least for another try after a refusal.
const ANOTHER: Duration = Duration::from_millis(200);

/// What is known when only some masters have done their part.
const HALFWAY: &Unanswered = &Unanswered { known: Known::Unknown, text: "the outcome is unknown" };

/// The tries of one call.
#[derive(Debug)]
pub(super) struct Tries {
    began: Instant,
    pub(super) deadline: Instant,
    pauses: Pauses,
    pub(super) is_first: bool,
    /// What is known from tries that were sent completely, so that Redis may have executed them.
    pub(super) before: Option<&'static Unanswered>,
    script_was_missing: bool,
    /// Masters to which one try decides, because calls have failed there.
    pub(super) probes: Vec<Endpoint>,
    /// Whether one try decides whatever the master.
    pub(super) is_probe: bool,
}

impl Tries {
    pub(super) const fn new(deadline: Instant, began: Instant) -> Self {
        Self {
            began,
            deadline,
            pauses: Pauses::new(deadline),
            is_first: true,
            before: None,
            script_was_missing: false,
            probes: Vec::new(),
            is_probe: false,
        }
    }

    /// Waits before another try. False if the deadline has passed.
    pub(super) fn pause(&mut self) -> bool {
        self.is_first = false;
        self.pauses.pause()
    }

    /// Whether there is time for another try.
    pub(super) fn has_time(&self) -> bool {
        self.deadline.saturating_duration_since(Instant::now()) > ANOTHER
    }

    /// Notes what a failure says. Returns whether another try may succeed and does no harm.
    pub(super) fn note(
        &mut self,
        failed: &Failed,
        is_repeatable: bool,
        unanswered: &'static Unanswered,
    ) -> bool {
        let cause = failed.cause.of_rest();
        let may_be_executed = failed.sent && !cause.says_not_executed();
        if may_be_executed {
            self.before = Some(unanswered.after(self.before));
        }
        if cause.is_of_connection() {
            self.before = self.before.map(Unanswered::after_failover);
        }
        match cause {
            LinkError::Unanswered(_) => false,
            LinkError::NoScript => !std::mem::replace(&mut self.script_was_missing, true),
            // Redis does not execute a command that it has not received completely.
            cause => !self.is_probe_of(failed) && passes(cause) && (!may_be_executed || is_repeatable),
        }
    }

    fn is_probe_of(&self, failed: &Failed) -> bool {
        let is_probe = failed.endpoint.as_ref().is_some_and(|endpoint| self.probes.contains(endpoint));
        match failed.cause.of_rest() {
            LinkError::Redis(error) if error.is_down() => self.is_probe,
            LinkError::Redis(error) if error.is_of_slot() => false,
            _ => is_probe || self.is_probe,
        }
    }
}

/// Whether another try may succeed in a moment, perhaps at another master.
fn passes(cause: &LinkError) -> bool {
    match cause {
        LinkError::Redis(error) | LinkError::Subscription(error) | LinkError::Replication(error) => {
            error.is_of_slot() || error.is_passing()
        }
        cause => cause.is_passing(),
    }
}

/// The error of a call of which a part was executed that must not be repeated.
pub(super) fn halfway(settings: &Settings, cause: Arc<LinkError>) -> ExecuteError {
    failure(settings, Arc::new(LinkError::Halfway(cause)), Some(HALFWAY))
}

impl Cluster {
    /// The error of a call whose last try has failed. Calls that need the same fail at once for a while. `is_halfway`: a
    /// part was executed that must not be repeated.
    pub(super) fn give_up(
        &mut self,
        failed: Failed,
        is_halfway: bool,
        tries: &Tries,
        settings: &Settings,
    ) -> ExecuteError {
        let is_once = tries.is_probe_of(&failed) || !passes(failed.cause.of_rest());
        // A call that had hardly any time left does not show much about Redis.
        let back_off = if is_once { BACK_OFF } else { BACK_OFF.min(tries.began.elapsed()) };
        let until = Instant::now() + back_off;
        let Failed { endpoint, cause, .. } = failed;
        let cause = match cause {
            LinkError::Halfway(cause) => cause,
            LinkError::Redis(error) => Arc::new(LinkError::Redis(error.of_slot())),
            LinkError::Subscription(error) => Arc::new(LinkError::Subscription(error.of_slot())),
            LinkError::Replication(error) => Arc::new(LinkError::Replication(error.of_slot())),
            cause => Arc::new(cause),
        };
        let (is_down, is_of_slot, is_passing) = match &*cause {
            LinkError::Redis(error) => (error.is_down(), error.is_of_slot(), error.is_passing()),
            cause => (false, false, matches!(cause, LinkError::Node(..))),
        };
        match endpoint {
            _ if is_down => self.outage = Some(Outage { cause: cause.clone(), until, publishes: true }),
            _ if is_of_slot || !is_passing => {}
            Some(endpoint) => self.masters.fail(endpoint, cause.clone(), until),
            None => self.outage = Some(Outage { cause: cause.clone(), until, publishes: false }),
        }
        if is_halfway {
            return halfway(settings, cause);
        }
        let is_unreachable = matches!(&*cause, LinkError::Node(..) | LinkError::NoMaster(_));
        match tries.before {
            Some(unanswered) if is_unreachable => {
                let cause = ExecuteError::unreachable(&settings.address, &cause, None);
                ExecuteError::TimedOut { unanswered, cause: Some(Box::new(cause)), silence: None }
            }
            None if is_unreachable => ExecuteError::unreachable(&settings.address, &cause, None),
            before => failure(settings, cause, before),
        }
    }
}
