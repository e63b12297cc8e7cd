//! How the push services do: one that does not answer holds up no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::pause;

/// Requests to one push service at the same time.
const REQUESTS: usize = 8;

/// From so many failures in a row on, it is left alone for a while.
const FAILURES: u32 = 3;

/// The longest such time.
const LONGEST: Duration = Duration::from_secs(60);

/// Push services that are remembered.
const SERVICES: usize = 1_000;

/// All push services. Cloning is shallow. A plain mutex: nothing awaits while holding it.
#[derive(Clone, Debug, Default)]
pub(super) struct PushServices(Arc<Mutex<HashMap<String, Health>>>);

#[derive(Debug, Default)]
struct Health {
    requests: usize,
    /// Without an answer, in a row.
    failures: u32,
    down_until: Option<Instant>,
}

/// Why a push service is not sent to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// It does not answer, and is left alone for so long.
    Down(Duration),
    /// As many requests as may are under way.
    Full,
}

/// One request.
#[derive(Debug)]
pub(super) struct Permit {
    services: PushServices,
    host: String,
}

impl PushServices {
    /// A permit for one request to a push service.
    pub(super) fn acquire(&self, host: &str) -> Result<Permit, Busy> {
        let now = Instant::now();
        let mut services = self.lock();
        if services.len() >= SERVICES && !services.contains_key(host) {
            services.retain(|_, health| health.requests > 0);
        }
        let health = services.entry(host.to_owned()).or_default();
        if let Some(left) = health.down_until.and_then(|until| until.checked_duration_since(now)) {
            return Err(Busy::Down(left));
        }
        if health.requests >= REQUESTS {
            return Err(Busy::Full);
        }
        health.requests += 1;
        drop(services);
        Ok(Permit { services: self.clone(), host: host.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Health>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The push service has answered or not.
    pub(super) fn answered(&self, answered: bool) {
        let mut services = self.services.lock();
        let Some(health) = services.get_mut(&self.host) else { return };
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
        let mut services = self.services.lock();
        if let Some(health) = services.get_mut(&self.host) {
            health.requests -= 1;
            if health.requests == 0 && health.failures == 0 {
                services.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_answer_is_left_alone() {
        let services = PushServices::default();
        for _ in 0..FAILURES {
            services.acquire("dead").unwrap().answered(false);
        }
        assert!(matches!(services.acquire("dead"), Err(Busy::Down(_))));
        let permits: Vec<_> = (0..REQUESTS).map(|_| services.acquire("alive").unwrap()).collect();
        assert_eq!(services.acquire("alive").unwrap_err(), Busy::Full);
        permits[0].answered(true);
        drop(permits);
        assert!(services.acquire("alive").is_ok());
        assert_eq!(services.lock().len(), 1, "only the dead one is remembered");
    }
}
