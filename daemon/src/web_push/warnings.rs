//! When something was said last, so that the log is not full of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often the same is said of the same push service.
const INTERVAL: Duration = Duration::from_secs(60);

/// Most that is remembered. Beyond it something may be said sooner.
const REMEMBERED: usize = 1_000;

/// What was said, by push service and text. Cloning is shallow. A plain mutex: nothing awaits while holding it.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings(Arc<Mutex<HashMap<(String, &'static str), Instant>>>);

impl Warnings {
    /// Whether it is time to say this of a push service.
    pub(super) fn are_due(&self, host: &str, text: &'static str) -> bool {
        let now = Instant::now();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), text);
        if said.get(&key).is_some_and(|last| now.duration_since(*last) < INTERVAL) {
            return false;
        }
        if said.len() >= REMEMBERED {
            said.clear();
        }
        said.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_thing_is_said_of_each_push_service_once_a_minute() {
        let warnings = Warnings::default();
        assert!(warnings.are_due("a", "key") && !warnings.are_due("a", "key"));
        assert!(warnings.are_due("b", "key") && warnings.are_due("a", "other"));
        tokio::time::advance(INTERVAL).await;
        assert!(warnings.are_due("a", "key"));
        for host in 0..2 * REMEMBERED {
            warnings.are_due(&host.to_string(), "key");
        }
        assert!(warnings.0.lock().unwrap().len() <= REMEMBERED);
    }
}
