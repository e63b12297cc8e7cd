//! Exponential backoff for a server that cannot be used: one log line for each cause, and one when it works
//! again.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::base::metrics;

const INITIAL_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// Why a server cannot be used.
pub(crate) trait Failure: Display {
    /// What failed, in a few words that are the same for the same cause: `login refused`.
    fn summary(&self) -> &'static str;

    /// The server that failed, if it is not the one that the task uses otherwise: it names it in log lines and metrics.
    fn peer(&self) -> Option<&'static str> {
        None
    }

    /// What failed, and the server's own words.
    fn report(&self) -> String {
        format!("{}: {self}", self.summary())
    }
}

/// One task's view of one server.
#[derive(Debug)]
pub(crate) struct Backoff {
    peer: &'static str,
    outage: Option<Outage>,
    delay: Duration,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The server that failed first.
    peer: &'static str,
    /// The causes that were logged.
    logged: Vec<&'static str>,
}

impl Backoff {
    /// A server that is taken to be up. `peer` names it in log lines and metrics.
    pub(crate) const fn new(peer: &'static str) -> Self {
        Self { peer, outage: None, delay: INITIAL_DELAY }
    }

    /// Records a failure and waits before the next attempt. The wait starts at 50 ms, doubles up to 2 s and
    /// is shortened by a random part of up to a half, so that daemons do not reconnect all at once. Each cause
    /// is logged once in an outage: a server may come back and refuse the login.
    pub(crate) async fn failed(&mut self, error: &impl Failure) {
        self.note(error);
        tokio::time::sleep(self.delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.delay = (self.delay * 2).min(MAX_DELAY);
    }

    /// Records a failure, for a task that waits in its own way.
    pub(crate) fn note(&mut self, error: &impl Failure) {
        let peer = error.peer().unwrap_or(self.peer);
        if self.is_news(peer, error.summary()) {
            tracing::warn!(peer, %error, "{}, trying again", error.summary());
        }
    }

    /// Waits before the next step of a task: not at all if the last one says that there may be more, else for
    /// `interval`, and after a failure as [`Self::failed`] does.
    pub(crate) async fn pause_after(&mut self, step: Result<bool, impl Failure>, interval: Duration) {
        match step {
            Ok(is_more) => {
                self.recovered();
                if !is_more {
                    tokio::time::sleep(interval).await;
                }
            }
            Err(error) => self.failed(&error).await,
        }
    }

    /// Whether the last attempt has failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.outage.is_some()
    }

    /// Whether this outage has not had this cause yet.
    fn is_news(&mut self, peer: &'static str, cause: &'static str) -> bool {
        let outage = self.outage.get_or_insert_with(|| {
            metrics::OUTAGES.increment(peer);
            Outage { since: Instant::now(), peer, logged: Vec::new() }
        });
        let is_news = !outage.logged.contains(&cause);
        if is_news {
            outage.logged.push(cause);
        }
        is_news
    }

    /// Records a success. Logs the end of an outage, if there was one.
    pub(crate) fn recovered(&mut self) {
        if let Some(outage) = self.outage.take() {
            let seconds = outage.since.elapsed().as_secs_f64();
            tracing::info!(peer = outage.peer, seconds, "works again");
        }
        self.delay = INITIAL_DELAY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_of_an_outage_is_news_once() {
        let mut mysql = Backoff::new("MySQL (test)");
        let news: Vec<_> = ["connection lost", "connection lost", "login refused", "connection lost"]
            .into_iter()
            .map(|cause| mysql.is_news("MySQL (test)", cause))
            .collect();
        assert_eq!(news, [true, false, true, false]);
        mysql.recovered();
        assert!(mysql.is_news("MySQL (test)", "connection lost"));
    }
}
