//! The HTTP client (RFC 8030).

use std::path::{Path, PathBuf};
use std::time::Duration;

use chatpush_wire::push_subscription::PushSubscription;
use p256::PublicKey;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use url::Url;
use web_push_native::Auth;

use super::resolver::PublicResolver;
use super::vapid::Vapid;
use crate::config::WebPush;
use crate::net::{https, retry_after};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request may take, its answer included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest and the longest pause that a push service can ask for.
const PAUSES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// A newer notification replaces one that a push service still keeps (RFC 8030 section 5.4).
const TOPIC: &str = "chatpush";

/// A chat message may wait for a device that saves power (RFC 8030 section 5.3).
const URGENCY: &str = "normal";

/// Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    vapid: Vapid,
    ttl: u64,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The file with further root certificates.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// It is empty.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The client cannot be made.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// What a push service has answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200 to 299: it delivers the notification.
    Accepted,
    /// 404, 410: there is no such subscription any more.
    Gone,
    /// 429, 500 to 599.
    Later {
        /// Why.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Nothing.
    Silent(String),
    /// 401, 403: it does not take this application's key.
    Unauthorized(String),
    /// Anything else: it never takes this request.
    Rejected(String),
}

impl Client {
    /// A client that follows no redirects.
    pub(super) fn new(web_push: &WebPush) -> Result<Self, ClientError> {
        let further = web_push.ca.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(https::client_config(further)?)
            .redirect(Policy::none())
            .no_proxy()
            .https_only(true)
            .dns_resolver(PublicResolver)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("chatpushd/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let vapid = Vapid::new(web_push.keys.clone(), &web_push.subject);
        Ok(Self { http, vapid, ttl: web_push.ttl.as_secs() })
    }

    /// Sends a payload to a browser. `url` is its endpoint.
    pub(super) async fn post(&self, url: Url, subscription: &PushSubscription, payload: &str) -> Answer {
        let Some(body) = encrypted(subscription, payload) else {
            return Answer::Rejected("its keys cannot be used".to_owned());
        };
        let request = self
            .http
            .post(url.clone())
            .header(AUTHORIZATION, self.vapid.header(&url.origin().ascii_serialization()))
            .header("ttl", self.ttl)
            .header("topic", TOPIC)
            .header("urgency", URGENCY)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Answer::Silent(https::reason(&error)),
        };
        let status = response.status();
        let retry_after = retry_after::of(response.headers(), &PAUSES);
        if status.is_success() {
            return Answer::Accepted;
        }
        let reason = format!("it has answered {status}{}", said(&mut response).await);
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Answer::Gone,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Unauthorized(reason),
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                Answer::Later { reason, retry_after }
            }
            _ => Answer::Rejected(reason),
        }
    }
}

/// The body that only this browser can read (RFC 8291).
fn encrypted(subscription: &PushSubscription, payload: &str) -> Option<Vec<u8>> {
    let key = PublicKey::from_sec1_bytes(subscription.p256dh()).ok()?;
    web_push_native::encrypt(payload.as_bytes().to_vec(), &key, &Auth::from(*subscription.auth())).ok()
}

/// The start of what an answer says beside its status.
async fn said(response: &mut reqwest::Response) -> String {
    let text = https::start_of_body(response).await;
    if text.is_empty() { text } else { format!(": {text}") }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let unreadable = |source| ClientError::Unreadable { file: file.to_owned(), source };
    let found = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(unreadable)?;
    if found.is_empty() { Err(ClientError::NoCertificate(file.to_owned())) } else { Ok(found) }
}
