//! A connection or handshake beyond a limit, and the HTTP response that names the limit.

use axum::Extension;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::edge::rejection::{Reason, Rejection};

/// Which limit a connection or handshake exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    /// The daemon holds as many connections as allowed.
    #[error("this daemon is full: see limits.connections in chatpush.toml")]
    Full,
    /// More connections wait to be admitted than can be within the handshake timeout.
    #[error("too many connect at once: see limits.admissions in chatpush.toml")]
    Crowded,
    /// The address holds as many connections as allowed.
    #[error("too many connections from this address: see limits.connections_per_address in chatpush.toml")]
    Address,
    /// The address makes more handshakes a second than allowed.
    #[error("too many handshakes from this address: see limits.handshakes_per_address in chatpush.toml")]
    Handshakes,
    /// The user holds as many connections as allowed.
    #[error("too many connections of this user: see limits.connections_per_user in chatpush.toml")]
    User,
}

impl LimitExceeded {
    /// 429 (RFC 6585 section 4) if the client itself exceeds a limit, 503 if the daemon as a whole is full.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Full | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address | Self::Handshakes | Self::User => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The response that names the setting.
    pub(crate) fn response(self) -> Response {
        // Any page may read the reason: there is nothing of a user in it.
        let headers = [(header::RETRY_AFTER, "1"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
        let rejection = Extension(self.rejection());
        (self.status(), headers, rejection, format!("{self}\n")).into_response()
    }

    /// What is counted and logged.
    pub(crate) fn rejection(self) -> Rejection {
        let reason = match self {
            Self::Full => Reason::Full,
            Self::Crowded | Self::Handshakes => Reason::Rate,
            Self::Address => Reason::AddressLimit,
            Self::User => Reason::UserLimit,
        };
        Rejection { reason, error: self.to_string().into() }
    }
}
