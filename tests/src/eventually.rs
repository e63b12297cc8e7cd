//! Waiting for something to become true, with a deadline instead of a guess.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long anything may take before a test gives up. Generous, because the machine may be busy; a test
/// that passes never waits for it.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Asks again and again until `probe` gives what `wanted` accepts, and returns that.
///
/// # Panics
///
/// After [`TEST_TIMEOUT`], with the last thing it saw.
pub async fn eventually<T: Debug, F: Future<Output = T>>(
    what: &str,
    mut probe: impl FnMut() -> F,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        let seen = probe().await;
        if wanted(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: still {seen:?} after {TEST_TIMEOUT:?}");
        sleep(Duration::from_millis(10)).await;
    }
}
