//! The pauses between tries within one deadline.

use std::time::{Duration, Instant};

/// The first pause that is one. It doubles.
const SHORTEST: Duration = Duration::from_millis(5);

/// The longest pause. A Redis that is back is found this soon.
const LONGEST: Duration = Duration::from_millis(100);

/// The pauses between tries within one deadline.
#[derive(Debug)]
pub(super) struct Pauses {
    deadline: Instant,
    next: Duration,
}

impl Pauses {
    /// No pause before the second try: a connection that broke long ago is found broken only now.
    pub(super) const fn new(deadline: Instant) -> Self {
        Self { deadline, next: Duration::ZERO }
    }

    /// Waits before another try. False if the deadline has passed.
    pub(super) fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left <= self.next {
            return false;
        }
        // A signal does not shorten it.
        std::thread::sleep(self.next);
        self.next = (self.next * 2).clamp(SHORTEST, LONGEST);
        true
    }
}
