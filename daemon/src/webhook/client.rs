//! The HTTP client.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};

use super::signature;
use crate::base::{clock, pause};
use crate::config::{Live, Webhook};
use crate::net::{https, retry_after};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    /// Has the keys.
    live: Live,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be made.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// What the application has answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// A status of 200 to 299.
    Accepted,
    /// 410: it wants none of this any more.
    Gone,
    /// Another status, or none.
    Failed {
        /// Why.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl Client {
    /// A client whose requests take at most `timeout`. It follows no redirects, and trusts the authorities
    /// of the system, or those in `SSL_CERT_FILE` instead.
    pub(super) fn new(timeout: Duration, live: Live) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(https::client_config(Vec::new())?)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .user_agent(concat!("chatpushd/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, live })
    }

    /// Sends a body, signed with each key. What the answer says beside its status is not read.
    pub(super) async fn post(&self, webhook: &Webhook, id: &str, body: String) -> Answer {
        let response = match self.send(webhook, id, body).await {
            Ok(response) => response,
            Err(reason) => return Answer::Failed { reason, retry_after: None },
        };
        match response.status() {
            status if status.is_success() => Answer::Accepted,
            StatusCode::GONE => Answer::Gone,
            status => {
                let retry_after = retry_after::of(response.headers(), &PAUSES);
                Answer::Failed { reason: format!("it has answered {status}"), retry_after }
            }
        }
    }

    /// The same, and returns the answer, or why there is none.
    pub(super) async fn send(&self, webhook: &Webhook, id: &str, body: String) -> Result<Response, String> {
        let timestamp = clock::unix_seconds();
        let signature = signature::header(&self.live.get().webhook_keys, id, timestamp, &body);
        let request = self
            .http
            .post(webhook.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        request.send().await.map_err(|error| https::reason(&error))
    }
}

/// The shortest and the longest pause that the application can ask for.
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=pause::LONGEST;
