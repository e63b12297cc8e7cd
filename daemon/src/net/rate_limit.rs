//! How often something may happen: the generic cell rate algorithm (ITU-T I.371, annex A), which needs one
//! instant of memory.

use std::time::Duration;

use tokio::time::Instant;

/// So many in a second, and as many of them at once as come in `burst`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimiter {
    interval: Duration,
    burst: Duration,
}

/// When the next one is due, if they came evenly.
#[derive(Clone, Copy, Debug, Default)]
pub struct LimiterState(Option<Instant>);

impl RateLimiter {
    /// `number` in a second, at least one.
    pub fn per_second(number: u32, burst: Duration) -> Self {
        Self { interval: Duration::from_secs(1) / number.max(1), burst }
    }

    /// How long one that comes `now` has to wait for its turn; that turn is taken. Nothing if it would be
    /// longer than `patience`.
    pub fn acquire(&self, due: &mut LimiterState, now: Instant, patience: Duration) -> Option<Duration> {
        let expected = due.0.map_or(now, |due| due.max(now));
        let tolerated = self.burst.saturating_sub(self.interval);
        let wait = expected.duration_since(now).saturating_sub(tolerated);
        if wait > patience {
            return None;
        }
        due.0 = Some(expected + self.interval);
        Some(wait)
    }

    /// Whether one may happen now.
    pub fn allows(&self, due: &mut LimiterState, now: Instant) -> bool {
        self.acquire(due, now, Duration::ZERO).is_some()
    }
}

impl LimiterState {
    /// Whether it is as if nothing had ever happened.
    pub fn is_idle(&self, now: Instant) -> bool {
        self.0.is_none_or(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (rate, mut due, start) =
            (RateLimiter::per_second(10, SECOND), LimiterState::default(), Instant::now());
        let passed = (0..50).filter(|_| rate.allows(&mut due, start)).count();
        assert_eq!(passed, 10);
        assert!(!rate.allows(&mut due, start + SECOND / 11));
        assert!(rate.allows(&mut due, start + SECOND / 10));
        let passed = (0..50).filter(|_| rate.allows(&mut due, start + SECOND * 5)).count();
        assert_eq!(passed, 10, "time that was not used up does not add up");
    }

    #[test]
    fn who_waits_has_a_turn_each() {
        let (rate, mut due, now) =
            (RateLimiter::per_second(100, Duration::ZERO), LimiterState::default(), Instant::now());
        let turns: Vec<_> =
            (0..4).map(|_| rate.acquire(&mut due, now, SECOND).unwrap().as_millis()).collect();
        assert_eq!(turns, [0, 10, 20, 30]);
        assert_eq!(
            rate.acquire(&mut due, now, Duration::from_millis(30)),
            None,
            "the fifth would wait 40 ms"
        );
    }
}
