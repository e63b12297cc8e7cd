//! Closes all connections when the daemon stops.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::Hub;
use crate::hub::close_code::Close;

/// How often some more connections are closed.
const TICK: Duration = Duration::from_millis(10);

/// How long the last connections may take to close.
const LAST_CLOSE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Closes every connection with code 1012, no faster than another daemon accepts `admissions` of them a
/// second, but within `max_window`. Then waits a bounded time until all are gone.
pub(crate) async fn run(hub: &Hub, admissions: u32, max_window: Duration) {
    let window = Duration::from_secs(hub.connections() as u64).div_f64(admissions.into()).min(max_window);
    let (start, mut users) = (Instant::now(), hub.users());
    fastrand::shuffle(&mut users);
    let all = users.len();
    while hub.connections() > 0 && start.elapsed() < window + LAST_CLOSE_TIMEOUT {
        let share = start.elapsed().div_duration_f64(window.max(TICK)).min(1.0);
        // A share of all users: exact enough as a float, and never negative.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let remaining = all - (all as f64 * share) as usize;
        for user in users.drain(remaining.min(users.len())..) {
            hub.close_connections(&user, Close::Restart);
        }
        if users.is_empty() {
            // Also connections that were accepted just before the listener stopped.
            hub.users().into_iter().for_each(|user| hub.close_connections(&user, Close::Restart));
        }
        tokio::time::sleep(TICK).await;
    }
    if hub.connections() > 0 {
        tracing::warn!(connections = hub.connections(), "connections did not close in time");
    }
}
