//! The send timeout of a socket (`socket(7)`, `SO_SNDTIMEO`).

use std::time::Duration;

/// Below a microsecond it would be rounded to zero, which waits for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// The timeout of a wait that has this time left.
pub(super) fn send_timeout(left: Duration) -> Duration {
    left.max(SHORTEST)
}
