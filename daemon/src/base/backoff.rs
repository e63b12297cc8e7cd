//! A peer that comes and goes: logged once when it goes and once when it is back, asked again ever more
//! rarely in between.

use std::fmt::Display;
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The state of one peer, as one task sees it.
#[derive(Debug)]
pub struct Backoff {
    peer: &'static str,
    since: Option<Instant>,
    delay: Duration,
}

impl Backoff {
    /// A peer that is not known to be away.
    pub const fn new(peer: &'static str) -> Self {
        Self { peer, since: None, delay: FIRST }
    }

    /// The peer failed. Logs the first failure of an outage and waits before the next try: at first 50 ms,
    /// twice as long each time, at most 2 s, each with jitter so that daemons do not return in step.
    pub async fn failed(&mut self, error: &impl Display) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(peer = self.peer, %error, "connection lost, trying again until it is back");
        }
        tokio::time::sleep(self.delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.delay = (self.delay * 2).min(LONGEST);
    }

    /// The peer works. Logs the end of an outage.
    pub fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(peer = self.peer, seconds, "connection is back");
        }
        self.delay = FIRST;
    }
}
