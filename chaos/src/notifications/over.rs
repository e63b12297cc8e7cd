//! What no webhook may tell of any more: a message that was confirmed, or a user for whom nothing waits.

use std::time::Duration;

use super::IN_FLIGHT;

/// Since when it is so, in calm time, and what has come since.
#[derive(Debug)]
pub(super) struct Over {
    since: Duration,
    later: u32,
}

impl Over {
    pub(super) const fn new(since: Duration) -> Self {
        Self { since, later: 0 }
    }

    /// A webhook tells of it. Returns how late that is, and what is wrong with it: one was under way at most, and the
    /// others are looked at again before they are sent.
    pub(super) fn told(&mut self, now: Duration) -> (Duration, Option<String>) {
        self.later += 1;
        let late = now.saturating_sub(self.since);
        let wrong = match self.later {
            1 if late <= IN_FLIGHT => None,
            1 => Some(format!("{late:.1?} later")),
            count => Some(format!("{count} times, {late:.1?} later")),
        };
        (late, wrong)
    }
}
