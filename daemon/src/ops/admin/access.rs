//! Who may use the admin listener.
//!
//! With `admin_token` whoever knows it: as `Authorization: Bearer` (RFC 6750), or as the password of any user name
//! (RFC 7617), for which browsers ask. Without, the listener is on loopback, and whoever is on the machine may. A page
//! of the internet in a browser there must not: a name that leads to 127.0.0.1 is not in the Host header of anybody
//! who means this daemon, and what changes something needs a method for which browsers ask first.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::config::Live;

/// What whoever is let in must know. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Guard(Live);

impl Guard {
    /// Asks for `admin_token`, if there is one.
    pub(super) const fn new(live: Live) -> Self {
        Self(live)
    }

    fn admits(&self, request: &Request) -> Result<(), Refusal> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let live = self.0.get();
        let Some(expected) = &live.admin_token else {
            return if header(header::HOST).is_none_or(is_local) { Ok(()) } else { Err(Refusal::Host) };
        };
        let given = header(header::AUTHORIZATION).and_then(token_of);
        // Digests are compared, so the time says nothing about the token.
        if given.is_some_and(|given| digest(&given) == digest(expected.as_str())) {
            Ok(())
        } else {
            Err(Refusal::Token)
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Token,
    Host,
}

/// Lets a request through, or answers 401 or 403.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.admits(&request) {
        Ok(()) => next.run(request).await,
        Err(Refusal::Token) => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"chatpushd\", charset=\"UTF-8\"")];
            (StatusCode::UNAUTHORIZED, ask, "the password, or the Bearer token, is admin_token\n")
                .into_response()
        }
        Err(Refusal::Host) => {
            let fix = "without admin_token only 127.0.0.1, [::1] and localhost are answered: use one of them, \
                       or set admin_token\n";
            (StatusCode::FORBIDDEN, fix).into_response()
        }
    }
}

/// The token in an Authorization header.
fn token_of(header: &str) -> Option<String> {
    let (scheme, credentials) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether a Host header names this machine: by an address, or as localhost.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn digest(text: &str) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_are_addresses_and_localhost() {
        for host in ["127.0.0.1:8090", "127.0.0.1", "[::1]:8090", "localhost", "LOCALHOST:80"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com:8090", "127.0.0.1.example.com", "", ":80"] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn tokens_are_read_from_both_schemes() {
        assert_eq!(token_of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token_of("basic b3BzOmE6Yg==").as_deref(), Some("a:b"));
        for header in ["", "Bearer", "Basic ???", "Digest abc", "Basic bm9jb2xvbg=="] {
            assert_eq!(token_of(header), None, "{header}");
        }
    }
}
