//! How the push services do: one that is slow or dead holds up no other.
//!
//! Nobody waits here for a request to end: who waited would keep what others need. Whoever cannot be told now hears
//! when to come back, so that as many come back as requests may be expected to end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::client::TIMEOUT;
use crate::base::pause;

/// Requests at the same time, to all push services.
const REQUESTS: u32 = 32;

/// To one of them.
const REQUESTS_TO_ONE: u32 = 8;

/// From so many failures in a row on, it is left alone for a while.
const FAILURES: u32 = 3;

/// The longest such time.
const LONGEST: Duration = Duration::from_secs(60);

/// How long a request is expected to take before one has ended.
const USUAL: Duration = Duration::from_secs(1);

/// The shortest time after which somebody is to come back.
const SHORTEST_TURN: Duration = Duration::from_millis(100);

/// The longest one.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// Push services that are remembered.
const SERVICES: usize = 1_000;

/// All push services. Cloning is shallow. A plain mutex: nothing awaits while holding it.
#[derive(Clone, Debug, Default)]
pub(super) struct PushServices(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Requests to all of them.
    under_way: u32,
    /// By host and port.
    services: HashMap<String, Health>,
}

#[derive(Debug)]
struct Health {
    under_way: u32,
    /// Without an answer, in a row.
    failures: u32,
    down_until: Option<Instant>,
    /// How long requests have taken lately.
    took: Duration,
    /// When the next one is to come back who is refused.
    next_turn: Instant,
}

/// Why a push service is not sent to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// It does not answer, and is left alone for so long.
    Down(Duration),
    /// As many requests as may are under way. It is the caller's turn after so long.
    Full(Duration),
}

/// One request.
#[derive(Debug)]
pub(super) struct Permit {
    services: PushServices,
    host: String,
    began: Instant,
}

impl Health {
    fn new(now: Instant) -> Self {
        Self { under_way: 0, failures: 0, down_until: None, took: USUAL, next_turn: now }
    }

    /// How long until somebody's turn, behind all who were refused before.
    fn turn(&mut self, now: Instant) -> Duration {
        let turn = self.next_turn.max(now) + self.took / REQUESTS_TO_ONE;
        self.next_turn = turn.min(now + LONGEST_TURN);
        (self.next_turn - now).max(SHORTEST_TURN)
    }
}

impl PushServices {
    /// A permit for one request to a push service.
    pub(super) fn acquire(&self, host: &str) -> Result<Permit, Busy> {
        let now = Instant::now();
        let mut state = self.lock();
        let State { under_way, services } = &mut *state;
        if services.len() >= SERVICES && !services.contains_key(host) {
            services.retain(|_, health| health.under_way > 0);
        }
        let health = services.entry(host.to_owned()).or_insert_with(|| Health::new(now));
        if let Some(left) = health.down_until.and_then(|until| until.checked_duration_since(now)) {
            return Err(Busy::Down(left));
        }
        if health.under_way >= REQUESTS_TO_ONE || *under_way >= REQUESTS {
            return Err(Busy::Full(health.turn(now)));
        }
        health.under_way += 1;
        *under_way += 1;
        Ok(Permit { services: self.clone(), host: host.to_owned(), began: now })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The push service has answered or not.
    pub(super) fn answered(&self, answered: bool) {
        let mut state = self.services.lock();
        let Some(health) = state.services.get_mut(&self.host) else { return };
        health.took = (health.took * 3 + self.began.elapsed().min(TIMEOUT)) / 4;
        if answered {
            (health.failures, health.down_until) = (0, None);
        } else {
            health.failures = health.failures.saturating_add(1);
            if let Some(more) = health.failures.checked_sub(FAILURES) {
                health.down_until = Some(Instant::now() + pause::after(more).min(LONGEST));
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.services.lock();
        let State { under_way, services } = &mut *state;
        *under_way = under_way.saturating_sub(1);
        let Some(health) = services.get_mut(&self.host) else { return };
        health.under_way = health.under_way.saturating_sub(1);
        if health.under_way == 0 && health.failures == 0 && health.next_turn <= Instant::now() {
            services.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// As many permits as there are.
    fn all(services: &PushServices, host: &str) -> Vec<Permit> {
        (0..REQUESTS_TO_ONE).map(|_| services.acquire(host).unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_does_not_answer_is_left_alone() {
        let services = PushServices::default();
        for _ in 0..FAILURES {
            services.acquire("dead").unwrap().answered(false);
        }
        assert_eq!(services.acquire("dead").unwrap_err(), Busy::Down(Duration::from_secs(1)));
        let permits = all(&services, "alive");
        assert!(matches!(services.acquire("alive").unwrap_err(), Busy::Full(_)));
        permits[0].answered(true);
        advance(LONGEST_TURN).await;
        drop(permits);
        assert_eq!(services.lock().services.len(), 1, "only the dead one is remembered");
        assert!(services.acquire("dead").is_ok(), "it is tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_come_back_as_requests_end() {
        let services = PushServices::default();
        let turn = |services: &PushServices| match services.acquire("slow") {
            Err(Busy::Full(turn)) => turn,
            other => panic!("{other:?}"),
        };
        let permits = all(&services, "slow");
        let turns: Vec<_> = (0..16).map(|_| turn(&services).as_millis()).collect();
        assert_eq!((turns[0], turns[1], turns[7], turns[15]), (125, 250, 1_000, 2_000));
        advance(Duration::from_secs(2)).await;
        // They have taken longer, so fewer come back.
        for permit in &permits {
            permit.answered(true);
        }
        let first = turn(&services);
        assert!(first > Duration::from_millis(200), "{first:?}");
        assert_eq!((0..1_000).map(|_| turn(&services)).max(), Some(LONGEST_TURN));
    }

    #[tokio::test(start_paused = true)]
    async fn all_of_them_have_a_limit_too() {
        let services = PushServices::default();
        let hosts: Vec<_> = (0..REQUESTS / REQUESTS_TO_ONE).map(|number| number.to_string()).collect();
        let mut permits: Vec<_> = hosts.iter().flat_map(|host| all(&services, host)).collect();
        assert!(matches!(services.acquire("further"), Err(Busy::Full(_))));
        permits.pop();
        assert!(services.acquire("further").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_comes_back_at_once() {
        let services = PushServices::default();
        let mut permits = all(&services, "fast");
        for _ in 0..REQUESTS {
            permits.pop().unwrap().answered(true);
            permits.push(services.acquire("fast").unwrap());
        }
        assert_eq!(services.acquire("fast").unwrap_err(), Busy::Full(SHORTEST_TURN));
    }
}
