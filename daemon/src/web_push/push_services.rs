//! How the push services do: one that does not answer holds up no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

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

#[derive(Debug)]
struct Health {
    requests: Arc<Semaphore>,
    /// Without an answer, in a row.
    failures: u32,
    down_until: Option<Instant>,
}

/// Why a push service is not sent to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// It does not answer, and is left alone for so long.
    Down(Duration),
    /// As many requests as may are under way, and were for as long as the caller has waited.
    Full,
}

/// One request.
#[derive(Debug)]
pub(super) struct Permit {
    services: PushServices,
    host: String,
    /// It is given back last, when this permit is dropped.
    _request: OwnedSemaphorePermit,
}

impl Default for Health {
    fn default() -> Self {
        Self { requests: Arc::new(Semaphore::new(REQUESTS)), failures: 0, down_until: None }
    }
}

impl Health {
    /// Whether somebody sends, or waits, or is about to. Each has the semaphore too.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.requests) > 1
    }
}

impl PushServices {
    /// A permit for one request to a push service. It is waited for until `until`, in the order of the calls.
    pub(super) async fn acquire(&self, host: &str, until: Instant) -> Result<Permit, Busy> {
        let requests = self.usable(host)?;
        let Ok(Ok(request)) = timeout_at(until, requests.acquire_owned()).await else {
            return Err(Busy::Full);
        };
        // It may have failed for others meanwhile.
        self.usable(host)?;
        Ok(Permit { services: self.clone(), host: host.to_owned(), _request: request })
    }

    /// The requests to a push service that is not left alone.
    fn usable(&self, host: &str) -> Result<Arc<Semaphore>, Busy> {
        let now = Instant::now();
        let mut services = self.lock();
        if services.len() >= SERVICES && !services.contains_key(host) {
            services.retain(|_, health| health.is_used());
        }
        let health = services.entry(host.to_owned()).or_default();
        match health.down_until.and_then(|until| until.checked_duration_since(now)) {
            Some(left) => Err(Busy::Down(left)),
            None => Ok(health.requests.clone()),
        }
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
        // The map and this permit have it.
        if let Some(health) = services.get(&self.host)
            && health.failures == 0
            && Arc::strong_count(&health.requests) <= 2
        {
            services.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_left_alone() {
        let services = PushServices::default();
        let now = Instant::now();
        for _ in 0..FAILURES {
            services.acquire("dead", now).await.unwrap().answered(false);
        }
        assert!(matches!(services.acquire("dead", now).await, Err(Busy::Down(_))));
        let mut permits = Vec::new();
        for _ in 0..REQUESTS {
            permits.push(services.acquire("alive", now).await.unwrap());
        }
        assert_eq!(services.acquire("alive", now).await.unwrap_err(), Busy::Full);
        permits[0].answered(true);
        drop(permits);
        assert!(services.acquire("alive", now).await.is_ok());
        assert_eq!(services.lock().len(), 1, "only the dead one is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_another_to_end() {
        let services = PushServices::default();
        let until = Instant::now() + Duration::from_secs(10);
        let mut permits = Vec::new();
        for _ in 0..REQUESTS {
            permits.push(services.acquire("slow", until).await.unwrap());
        }
        let (next, ()) = tokio::join!(services.acquire("slow", until), async { drop(permits.pop()) });
        let next = next.unwrap();
        permits.push(next);
        assert_eq!(services.acquire("slow", until).await.unwrap_err(), Busy::Full);
        assert!(Instant::now() >= until);
        for permit in &permits {
            permit.answered(false);
        }
        permits.clear();
        assert!(matches!(services.acquire("slow", until).await, Err(Busy::Down(_))));
    }
}
