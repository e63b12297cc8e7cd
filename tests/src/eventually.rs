//! Polling with a deadline.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The deadline of each wait in a test. It is long, because the machine may be busy.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(180);

/// Polls `probe` until `wanted` accepts its result, and returns that.
///
/// # Panics
///
/// After [`TEST_TIMEOUT`], with the last result.
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
