//! The end of all connections, when the daemon stops.

use std::time::Duration;

use tokio::time::Instant;

use crate::hub::Hub;
use crate::hub::close::Close;

/// How often some more clients are told.
const TICK: Duration = Duration::from_millis(10);

/// How long the last of them may take to go.
const LAST: Duration = Duration::from_millis(2_500);

/// Tells every client to connect elsewhere, no faster than another daemon lets `admissions` in within a second,
/// unless that would take longer than `most`; and waits until they have gone, though not for ever.
pub async fn run(hub: &Hub, admissions: u32, most: Duration) {
    let window = Duration::from_secs(hub.connections() as u64).div_f64(admissions.into()).min(most);
    let (start, mut users) = (Instant::now(), hub.users());
    fastrand::shuffle(&mut users);
    let all = users.len();
    while hub.connections() > 0 && start.elapsed() < window + LAST {
        let part = start.elapsed().div_duration_f64(window.max(TICK)).min(1.0);
        // A part of all of them, so the cast is exact enough and never negative.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let stay = all - (all as f64 * part) as usize;
        for user in users.drain(stay.min(users.len())..) {
            hub.close_connections(user, Close::Restart);
        }
        if users.is_empty() {
            // Also those who came as the door was closed.
            hub.users().into_iter().for_each(|user| hub.close_connections(user, Close::Restart));
        }
        tokio::time::sleep(TICK).await;
    }
    if hub.connections() > 0 {
        tracing::warn!(connections = hub.connections(), "clients were not gone in time");
    }
}
