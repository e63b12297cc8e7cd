//! The opening handshake (RFC 6455 section 4.2): what the request must contain, and the response.

use axum::Extension;
use axum::body::Body;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::edge::rejection::{Reason, Rejection};
use crate::edge::session::protocol::Protocol;

/// The version of the protocol (RFC 6455 section 4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// What is wrong with an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidUpgrade {
    /// Not a GET request of HTTP/1.1.
    #[error(
        "a WebSocket handshake is a GET request of HTTP/1.1: a proxy may need proxy_http_version 1.1, and must forward \
         Connection and Upgrade"
    )]
    Request,
    /// The request asks for no upgrade, or the proxy before the daemon has removed that.
    #[error("`Connection: Upgrade` and `Upgrade: websocket` are missing: a proxy must forward both")]
    Upgrade,
    /// Another version of the protocol.
    #[error("Sec-WebSocket-Version must be 13")]
    Version,
    /// The key is not one.
    #[error("Sec-WebSocket-Key must be 16 bytes in base64")]
    Key,
}

impl InvalidUpgrade {
    /// The response: 426 names what would be accepted (RFC 6455 section 4.4, RFC 9110 section 15.5.22).
    pub(super) fn response(self) -> Response<Body> {
        let text = format!("{self}\n");
        let rejection = Extension(Rejection { reason: Reason::Malformed, error: self.to_string().into() });
        let upgrade = (header::UPGRADE, HeaderValue::from_static("websocket"));
        match self {
            Self::Request | Self::Key => (StatusCode::BAD_REQUEST, rejection, text).into_response(),
            Self::Upgrade | Self::Version => {
                let version = (header::SEC_WEBSOCKET_VERSION, VERSION);
                (StatusCode::UPGRADE_REQUIRED, rejection, [upgrade, version], text).into_response()
            }
        }
    }
}

/// A valid opening handshake.
#[derive(Debug)]
pub(super) struct Upgrade {
    accept: String,
    connection: OnUpgrade,
}

impl Upgrade {
    /// Whether a request means to be an opening handshake. Without that, it asks something else.
    pub(super) fn is_meant(headers: &HeaderMap) -> bool {
        [header::UPGRADE, header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION]
            .iter()
            .any(|name| headers.contains_key(name))
    }

    /// Checks the request.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub(super) fn of(request: &mut Request<Body>) -> Result<Self, InvalidUpgrade> {
        let headers = request.headers();
        if request.method() != Method::GET || request.version() < Version::HTTP_11 {
            return Err(InvalidUpgrade::Request);
        }
        if !lists(headers, header::CONNECTION, "upgrade") || !lists(headers, header::UPGRADE, "websocket") {
            return Err(InvalidUpgrade::Upgrade);
        }
        if only(headers, header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
            return Err(InvalidUpgrade::Version);
        }
        let key = only(headers, header::SEC_WEBSOCKET_KEY).ok_or(InvalidUpgrade::Key)?.as_bytes();
        if !STANDARD.decode(key).is_ok_and(|key| key.len() == 16) {
            return Err(InvalidUpgrade::Key);
        }
        let accept = derive_accept_key(key);
        Ok(Self { accept, connection: hyper::upgrade::on(request) })
    }

    /// The connection, once the response has been sent; and the response, which names the subprotocol if the
    /// client has offered it.
    pub(super) fn accept(self, subprotocol: Option<Protocol>) -> (OnUpgrade, Response<Body>) {
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
        ];
        let mut response =
            (StatusCode::SWITCHING_PROTOCOLS, headers, [(header::SEC_WEBSOCKET_ACCEPT, self.accept)])
                .into_response();
        if let Some(name) = subprotocol.and_then(Protocol::name) {
            let name = HeaderValue::from_static(name);
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
        }
        (self.connection, response)
    }
}

/// Whether a header that is a list has an element, in any case and on any of its lines.
fn lists(headers: &HeaderMap, name: HeaderName, element: &str) -> bool {
    elements(headers, name).any(|listed| listed.eq_ignore_ascii_case(element))
}

/// The elements of a header that is a list. It may be on several lines (RFC 9110 section 5.3).
pub(super) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// The value of a header that must not appear more than once (RFC 6455 section 11.3).
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut lines = headers.get_all(name).into_iter();
    lines.next().filter(|_| lines.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn check(change: impl FnOnce(&mut Request<Body>)) -> Result<String, InvalidUpgrade> {
        let mut request = Request::new(Body::empty());
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        change(&mut request);
        Upgrade::of(&mut request).map(|upgrade| upgrade.accept)
    }

    fn with(name: &'static str, value: &'static str) -> Result<String, InvalidUpgrade> {
        check(|request| {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        })
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        // RFC 6455 section 1.3.
        assert_eq!(check(|_| {}).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn a_list_may_be_on_several_lines() {
        let split = check(|request| {
            request.headers_mut().insert("connection", HeaderValue::from_static("keep-alive"));
            request.headers_mut().append("connection", HeaderValue::from_static("upgrade"));
        });
        assert!(split.is_ok());
        assert!(with("upgrade", "h2c, websocket").is_ok());
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        assert_eq!(with("connection", "close"), Err(InvalidUpgrade::Upgrade));
        assert_eq!(with("upgrade", "h2c"), Err(InvalidUpgrade::Upgrade));
        for version in ["12", "", "13, 12", "013"] {
            assert_eq!(with("sec-websocket-version", version), Err(InvalidUpgrade::Version), "{version}");
        }
        // 5, 15 and 17 bytes, and 16 without padding.
        for key in [
            "short",
            "",
            "c2hvcnQ=",
            "MDEyMzQ1Njc4OTAxMjM0",
            "MDEyMzQ1Njc4OTAxMjM0NTY=",
            "dGhlIHNhbXBsZSBub25jZQ",
        ] {
            assert_eq!(with("sec-websocket-key", key), Err(InvalidUpgrade::Key), "{key}");
        }
        for name in ["sec-websocket-key", "sec-websocket-version"] {
            let twice = check(|request| {
                let value = request.headers()[name].clone();
                request.headers_mut().append(name, value);
            });
            assert!(twice.is_err(), "{name}");
        }
        assert_eq!(check(|request| *request.method_mut() = Method::HEAD), Err(InvalidUpgrade::Request));
        assert_eq!(check(|request| *request.version_mut() = Version::HTTP_10), Err(InvalidUpgrade::Request));
    }
}
