//! A rate limiter: the generic cell rate algorithm (ITU-T I.371, annex A). Its state is one instant.

use std::time::Duration;

use tokio::time::Instant;

/// A limit of so many events a second. The events of one `burst` may happen at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimiter {
    interval: Duration,
    burst: Duration,
}

/// When the next event is due, if events came at the limiter's rate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LimiterState(Option<Instant>);

impl RateLimiter {
    /// A limit of `number` events a second, at least one.
    pub(crate) fn per_second(number: u32, burst: Duration) -> Self {
        Self { interval: Duration::from_secs(1) / number.max(1), burst }
    }

    /// Reserves a slot for an event at `now` and returns how long the event has to wait for it. `None`, and
    /// no slot is reserved, if that would be longer than `max_wait`.
    pub(crate) fn acquire(
        &self,
        due: &mut LimiterState,
        now: Instant,
        max_wait: Duration,
    ) -> Option<Duration> {
        let expected = due.0.map_or(now, |due| due.max(now));
        let tolerated = self.burst.saturating_sub(self.interval);
        let wait = expected.duration_since(now).saturating_sub(tolerated);
        if wait > max_wait {
            return None;
        }
        due.0 = Some(expected + self.interval);
        Some(wait)
    }

    /// Whether an event may happen at `now`; if so, it is counted.
    pub(crate) fn allows(&self, due: &mut LimiterState, now: Instant) -> bool {
        self.acquire(due, now, Duration::ZERO).is_some()
    }
}

impl LimiterState {
    /// Whether the limiter is idle: its state equals that of a new one.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        self.0.is_none_or(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_then_the_rate_applies() {
        let (rate, mut due, start) =
            (RateLimiter::per_second(10, SECOND), LimiterState::default(), Instant::now());
        let passed = (0..50).filter(|_| rate.allows(&mut due, start)).count();
        assert_eq!(passed, 10);
        assert!(!rate.allows(&mut due, start + SECOND / 11));
        assert!(rate.allows(&mut due, start + SECOND / 10));
        let passed = (0..50).filter(|_| rate.allows(&mut due, start + SECOND * 5)).count();
        assert_eq!(passed, 10, "unused time does not accumulate beyond one burst");
    }

    #[test]
    fn waiting_events_get_slots_in_order() {
        let (rate, mut due, now) =
            (RateLimiter::per_second(100, Duration::ZERO), LimiterState::default(), Instant::now());
        let waits: Vec<_> =
            (0..4).map(|_| rate.acquire(&mut due, now, SECOND).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 10, 20, 30]);
        assert_eq!(
            rate.acquire(&mut due, now, Duration::from_millis(30)),
            None,
            "the fifth would wait 40 ms"
        );
    }
}
