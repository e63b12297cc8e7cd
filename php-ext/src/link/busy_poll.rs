//! Polling for an answer before the process sleeps. Waking up costs more than a Redis on the same machine
//! takes to answer, on both sides. The kernel's own busy polling (`socket(7)`, `SO_BUSY_POLL`) does the same
//! for network devices.

use std::time::{Duration, Instant};

/// Most waits without polling after one that polled in vain.
const MAX_SKIPS: u32 = 64;

/// Whoever gives up the processor for longer than this shares it with work that does not end soon. A process
/// that sleeps is woken up before such work; one that polls waits for its turn.
const LONG_YIELD: Duration = Duration::from_micros(200);

/// After such a yield nothing polls for this long. It doubles each time,
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Whether polling pays, learnt from the last waits of one kind.
#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// How many waits to skip after the last miss. It doubles with each miss in a row.
    missed: u32,
    /// How many of those are left.
    skips: u32,
    /// How long not to poll after the last long yield, and until when.
    pause: Duration,
    paused_until: Option<Instant>,
}

impl BusyPoll {
    /// Polls until something is there or `bound` has passed. Yields the processor to others in between, and
    /// stops when that took long.
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
        let mut now = Instant::now();
        if self.paused_until.is_some_and(|until| now < until) {
            return Ok(None);
        }
        let end = now + bound;
        loop {
            if let Some(found) = poll()? {
                self.missed = 0;
                self.pause = Duration::ZERO;
                return Ok(Some(found));
            }
            let before = now;
            std::thread::yield_now();
            now = Instant::now();
            if now - before > LONG_YIELD {
                self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                self.paused_until = Some(now + self.pause);
                return poll();
            }
            if now >= end {
                self.missed = (self.missed * 2).clamp(1, MAX_SKIPS);
                self.skips = self.missed;
                return poll();
            }
        }
    }
}
