//! Polling for an answer before the process sleeps. Waking up costs more than a Redis on the same machine
//! takes to answer, on both sides. The kernel's own busy polling (`socket(7)`, `SO_BUSY_POLL`) does the same
//! for network devices.

use std::time::{Duration, Instant};

/// Most waits without polling after one that polled in vain.
const MAX_SKIPS: u32 = 64;

/// Whether polling pays, learnt from the last waits of one kind.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// How many waits to skip after the last miss. It doubles with each miss in a row.
    missed: u32,
    /// How many of those are left.
    skips: u32,
}

impl BusyPoll {
    /// Polls until the answer is there or `bound` has passed. Yields the processor to others in between.
    pub(super) fn poll(&mut self, bound: Duration, is_there: impl Fn() -> bool) {
        if bound.is_zero() {
            return;
        }
        if self.skips > 0 {
            self.skips -= 1;
            return;
        }
        let end = Instant::now() + bound;
        loop {
            if is_there() {
                self.missed = 0;
                return;
            }
            if Instant::now() >= end {
                self.missed = (self.missed * 2).clamp(1, MAX_SKIPS);
                self.skips = self.missed;
                return;
            }
            std::thread::yield_now();
        }
    }
}
