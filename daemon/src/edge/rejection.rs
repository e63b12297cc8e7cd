//! Rejected handshakes: each is counted by its reason, and at most one a second is logged.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode};
use chatpush_wire::token::TokenError;
use tokio::time::Instant;

use crate::base::metrics;
use crate::edge::upgrade::Upgrade;
use crate::net::client_ip::TrustedProxies;

/// The shortest time between two log lines. A flood of rejections must not fill the disk.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Why a handshake is rejected, as the label `reason` of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no token.
    Missing,
    /// The token or the request cannot be read.
    Malformed,
    /// Another key signed the token.
    Signature,
    /// The token has expired or is not valid yet.
    Expired,
    /// The user was disconnected after the token was issued.
    Revoked,
    /// The token is for another audience.
    Audience,
    /// The page's origin is not allowed.
    Origin,
    /// The user has as many connections as allowed.
    UserLimit,
    /// The address has as many connections as allowed.
    AddressLimit,
    /// One address, or all together, connect faster than allowed.
    Rate,
    /// The daemon has as many connections as allowed.
    Full,
    /// With `proxy_protocol`: the peer is no trusted proxy, or sent no valid header.
    Proxy,
}

/// A rejection, as an extension of the response that answers it.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    /// What is wrong, for the log. Nothing that only the user may know.
    pub(crate) error: Cow<'static, str>,
}

/// Counts and logs rejections. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rejections(Arc<Mutex<LogState>>);

#[derive(Debug, Default)]
struct LogState {
    last: Option<Instant>,
    /// Rejections since then that were not logged.
    unlogged: u64,
}

impl Reason {
    const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Audience => "audience",
            Self::Origin => "origin",
            Self::UserLimit => "user_limit",
            Self::AddressLimit => "address_limit",
            Self::Rate => "rate",
            Self::Full => "full",
            Self::Proxy => "proxy",
        }
    }
}

impl From<TokenError> for Reason {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Signature => Self::Signature,
            TokenError::Expired | TokenError::NotYet => Self::Expired,
            TokenError::Audience => Self::Audience,
            _ => Self::Malformed,
        }
    }
}

impl Rejections {
    /// Counts a rejection, and logs it if none was logged in this second.
    pub(crate) fn note(&self, client: IpAddr, Rejection { reason, error }: &Rejection) {
        metrics::HANDSHAKES_REJECTED.increment(reason.label());
        let due = self.0.lock().unwrap_or_else(PoisonError::into_inner).due(Instant::now());
        if let Some(unlogged) = due {
            let reason = reason.label();
            tracing::warn!(reason, %client, %error, unlogged, "handshake rejected");
        }
    }

    /// Notes the rejection that `response` carries, if it answers a handshake.
    pub(crate) fn note_response(&self, handshake: &Handshake, response: &Response<Body>) {
        let rejection = match response.extensions().get::<Rejection>() {
            Some(rejection) => rejection.clone(),
            None if response.status() == StatusCode::SWITCHING_PROTOCOLS => return,
            None => {
                let error = format!("the request is malformed: {}", response.status()).into();
                Rejection { reason: Reason::Malformed, error }
            }
        };
        self.note(handshake.client, &rejection);
    }
}

impl LogState {
    /// Whether a line is due: if so, how many rejections had none since the last one.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now < last + LOG_INTERVAL) {
            self.unlogged += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

/// A request that is meant as a WebSocket handshake.
#[derive(Debug)]
pub(crate) struct Handshake {
    client: IpAddr,
}

impl Handshake {
    /// `None` if the request is not meant as one.
    pub(crate) fn of(
        path: &str,
        headers: &HeaderMap,
        peer: IpAddr,
        proxies: &TrustedProxies,
    ) -> Option<Self> {
        let is_handshake = path == "/ws" && Upgrade::is_meant(headers);
        let client = || forwarded_client(proxies, peer, headers).unwrap_or(peer);
        is_handshake.then(|| Self { client: client() })
    }
}

/// The client that `peer` forwards for; `None` if a trusted proxy names none.
pub(crate) fn forwarded_client(
    proxies: &TrustedProxies,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Option<IpAddr> {
    // The nearest proxy's entry is the last one, whatever bytes a client has sent before it.
    let lines = headers.get_all(X_FORWARDED_FOR).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    proxies.client(peer, lines.iter().flat_map(|line| line.split(',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_rejection_a_second_is_logged() {
        let mut state = LogState::default();
        let start = Instant::now();
        let due: Vec<_> =
            [0, 1, 999, 1_000, 1_001].map(|ms| state.due(start + Duration::from_millis(ms))).into();
        assert_eq!(due, [Some(0), None, None, Some(2), None]);
    }
}
