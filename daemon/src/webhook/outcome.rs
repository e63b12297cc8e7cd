//! What follows from an answer of the application.

use std::time::Duration;

use super::FEWEST_TRIES;
use super::client::Answer;
use crate::base::{metrics, pause};

/// What becomes of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done with.
    Told,
    /// It comes again after a pause, for a reason.
    Later(Duration, String),
}

/// What becomes of the webhook `id`, which was tried `tries` times before, and has failed first so long ago.
pub(super) fn of(answer: Answer, id: &str, tries: u32, tried_for: Duration) -> Outcome {
    let (outcome, counted) = match answer {
        Answer::Accepted => (Outcome::Told, "delivered"),
        Answer::Gone => {
            tracing::warn!(id, "the application has answered 410: this webhook is not sent again");
            (Outcome::Told, "gone")
        }
        Answer::Failed { reason, .. } if pause::is_over(tries + 1, FEWEST_TRIES, tried_for) => {
            tracing::warn!(id, reason, "a webhook was not accepted for a day, and is given up");
            (Outcome::Told, "given_up")
        }
        Answer::Failed { reason, retry_after } => {
            tracing::info!(id, reason, tries = tries + 1, "a webhook was not accepted");
            (Outcome::Later(retry_after.unwrap_or_else(|| pause::after(tries)), reason), "failed")
        }
    };
    metrics::WEBHOOKS.increment(counted);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_comes_again_for_a_day() {
        let reason = || "it has answered 500".to_owned();
        let failed = |seconds: Option<u64>| Answer::Failed {
            reason: reason(),
            retry_after: seconds.map(Duration::from_secs),
        };
        let later = |seconds| Outcome::Later(Duration::from_secs(seconds), reason());
        let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(90_000));
        for (answer, tries, tried_for, outcome) in [
            (Answer::Accepted, 0, Duration::ZERO, Outcome::Told),
            (Answer::Gone, 3, hour, Outcome::Told),
            (failed(None), 2, hour, later(4)),
            (failed(Some(60)), 2, hour, later(60)),
            (failed(None), FEWEST_TRIES, day, Outcome::Told),
            (failed(None), 12, hour, later(3_600)),
            (failed(None), 1_000, Duration::from_secs(86_400), later(3_600)),
            // No daemon ran for a day.
            (failed(None), 0, day, later(1)),
        ] {
            assert_eq!(of(answer, "waiting-7-1", tries, tried_for), outcome);
        }
    }
}
