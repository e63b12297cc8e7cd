//! A webhook that means nothing, by which an operator sees whether the others arrive.

use reqwest::StatusCode;
use serde_json::json;

use super::client::{Client, ClientError};
use crate::base::clock;
use crate::config::{Live, Webhook};
use crate::net::https;

/// What the application has answered.
#[derive(Debug)]
pub(crate) struct TrialAnswer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// What it says beside it.
    pub(crate) text: String,
}

/// Sends one webhook of the type `webhook.test`, as all others are sent and signed. Returns the answer, or why there is
/// none.
///
/// # Errors
///
/// When there is no client.
pub(crate) async fn send(webhook: &Webhook, live: Live) -> Result<Result<TrialAnswer, String>, ClientError> {
    let client = Client::new(webhook.timeout, live)?;
    let now = clock::unix_milliseconds();
    let body = json!({ "type": "webhook.test", "timestamp": clock::rfc3339(now), "data": {} });
    Ok(match client.send(webhook, &format!("test-{now}"), body.to_string()).await {
        Ok(mut response) => {
            let text = https::start_of_body(&mut response).await;
            Ok(TrialAnswer { status: response.status(), text })
        }
        Err(reason) => Err(reason),
    })
}
