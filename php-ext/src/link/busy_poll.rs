//! Watching for an answer a moment before going to sleep. To be woken costs more than a Redis on the same machine takes to
//! answer, on both sides: the kernel's own busy polling (`socket(7)`, `SO_BUSY_POLL`) does the same for network devices.

use std::time::{Duration, Instant};

/// Most waits that are not watched after one that was watched in vain.
const LONGEST_REST: u32 = 64;

/// Whether watching pays, learnt from the last waits of one kind.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// How many waits in a row took longer than they were watched, as a power of two.
    missed: u32,
    /// How many waits are not watched now.
    rest: u32,
}

impl BusyPoll {
    /// Watches until the answer is there or `bound` has passed; whoever else has work for the processor goes first.
    pub(super) fn watch(&mut self, bound: Duration, is_there: impl Fn() -> bool) {
        if bound.is_zero() {
            return;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let end = Instant::now() + bound;
        loop {
            if is_there() {
                self.missed = 0;
                return;
            }
            if Instant::now() >= end {
                self.missed = (self.missed * 2).clamp(1, LONGEST_REST);
                self.rest = self.missed;
                return;
            }
            std::thread::yield_now();
        }
    }
}
