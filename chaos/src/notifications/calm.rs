//! Time in which every part works. Only that counts for how late the application is told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A clock that stands still while a fault lasts, and until what it has broken has settled.
#[derive(Debug)]
pub(crate) struct Calm(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What had passed when it last stood still.
    passed: Duration,
    /// From when on it goes. `None` while a fault lasts.
    from: Option<Instant>,
    /// When everything has settled that was broken until now.
    settled: Instant,
}

impl Calm {
    /// A clock that goes.
    pub(crate) fn start() -> Self {
        Self(Mutex::new(State::new(Instant::now())))
    }

    /// A clock of which so much has passed.
    #[cfg(test)]
    pub(super) fn start_at(passed: Duration) -> Self {
        Self(Mutex::new(State { passed, ..State::new(Instant::now()) }))
    }

    /// How much of this time has passed.
    pub(crate) fn elapsed(&self) -> Duration {
        self.state().elapsed(Instant::now())
    }

    /// A fault begins.
    pub(crate) fn disturb(&self) {
        self.state().disturb(Instant::now());
    }

    /// It is over. What it has broken settles within a time.
    pub(crate) fn settle(&self, within: Duration) {
        self.state().settle(Instant::now(), within);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn new(now: Instant) -> Self {
        Self { passed: Duration::ZERO, from: Some(now), settled: now }
    }

    fn elapsed(&self, now: Instant) -> Duration {
        self.passed + self.from.map_or(Duration::ZERO, |from| now.saturating_duration_since(from))
    }

    fn disturb(&mut self, now: Instant) {
        self.passed = self.elapsed(now);
        self.from = None;
    }

    /// What was broken before may take longer than this.
    fn settle(&mut self, now: Instant, within: Duration) {
        self.settled = self.settled.max(now + within);
        self.from = Some(self.settled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_until_everything_has_settled() {
        let start = Instant::now();
        let second = Duration::from_secs;
        let at = |time| start + second(time);
        let mut state = State::new(start);
        assert_eq!(state.elapsed(at(3)), second(3));
        state.disturb(at(3));
        assert_eq!(state.elapsed(at(5)), second(3));
        state.settle(at(5), second(10));
        assert_eq!((state.elapsed(at(14)), state.elapsed(at(17))), (second(3), second(5)));
        state.disturb(at(17));
        state.settle(at(18), second(10));
        // What settles sooner does not shorten what was broken before.
        state.disturb(at(20));
        state.settle(at(21), Duration::ZERO);
        assert_eq!((state.elapsed(at(28)), state.elapsed(at(29))), (second(5), second(6)));
    }
}
