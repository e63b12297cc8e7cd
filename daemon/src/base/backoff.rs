//! Exponential backoff for a server that is away: one log line when it goes and one when it is back.

use std::fmt::Display;
use std::time::{Duration, Instant};

const INITIAL_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// One task's view of one server.
#[derive(Debug)]
pub(crate) struct Backoff {
    peer: &'static str,
    since: Option<Instant>,
    delay: Duration,
}

impl Backoff {
    /// A server that is taken to be up. `peer` names it in log lines.
    pub(crate) const fn new(peer: &'static str) -> Self {
        Self { peer, since: None, delay: INITIAL_DELAY }
    }

    /// Records a failure and waits before the next attempt. The wait starts at 50 ms, doubles up to 2 s and
    /// is shortened by a random part of up to a half, so that daemons do not reconnect all at once. Only the
    /// first failure of an outage is logged.
    pub(crate) async fn failed(&mut self, error: &impl Display) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!(peer = self.peer, %error, "connection lost, reconnecting");
        }
        tokio::time::sleep(self.delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.delay = (self.delay * 2).min(MAX_DELAY);
    }

    /// Records a success. Logs the end of an outage, if there was one.
    pub(crate) fn recovered(&mut self) {
        if let Some(since) = self.since.take() {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(peer = self.peer, seconds, "connection is back");
        }
        self.delay = INITIAL_DELAY;
    }
}
