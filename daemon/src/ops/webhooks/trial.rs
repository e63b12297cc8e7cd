//! `chatpushd webhook test`: whether the application accepts webhooks.

use std::process::ExitCode;

use reqwest::StatusCode;
use tokio::time::Instant;

use crate::base::output;
use crate::config::{Config, Webhook};
use crate::webhook::trial::{self, TrialAnswer};

/// Sends a webhook and prints what came of it. Exits with 1 if it was not accepted.
pub(super) async fn perform(config: &Config, webhook: &Webhook) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let answer = trial::send(webhook, config.live.clone()).await?;
    let time = began.elapsed().as_millis();
    let reason = match answer {
        Ok(TrialAnswer { status, .. }) if status.is_success() => {
            output::line(format_args!("accepted: {status} after {time} ms"));
            return Ok(ExitCode::SUCCESS);
        }
        Ok(TrialAnswer { status, text }) => {
            let said = if text.is_empty() { text } else { format!(": {text}") };
            format!("{status} after {time} ms{said}{}", advice(status))
        }
        Err(reason) => format!("{reason}, after {time} ms"),
    };
    output::line(format_args!("not accepted: {reason}"));
    Ok(ExitCode::FAILURE)
}

/// What a status means as a rule, and what to do.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            " (compare the application's key with webhook.secret, and the clocks of both machines)"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            " (is webhook.url the address of the page?)"
        }
        StatusCode::GONE => " (every webhook would be given up: the page wants none)",
        status if status.is_redirection() => {
            " (redirects are not followed: write the address where it leads into webhook.url)"
        }
        _ => "",
    }
}
