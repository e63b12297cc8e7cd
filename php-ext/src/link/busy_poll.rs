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
    /// Polls until something is there or `bound` has passed. Yields the processor to others in between.
    pub(super) fn poll<T, E>(
        &mut self,
        bound: Duration,
        mut poll: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if bound.is_zero() {
            return Ok(None);
        }
        if self.skips > 0 {
            self.skips -= 1;
            return Ok(None);
        }
        let end = Instant::now() + bound;
        loop {
            if let Some(found) = poll()? {
                self.missed = 0;
                return Ok(Some(found));
            }
            if Instant::now() >= end {
                self.missed = (self.missed * 2).clamp(1, MAX_SKIPS);
                self.skips = self.missed;
                return Ok(None);
            }
            std::thread::yield_now();
        }
    }
}
