//! The WebSocket handshake: who may connect, and the upgrade. Everything is checked before the upgrade, so
//! that a client can read the reason.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chatpush_wire::token::{VerifiedToken, Verifier};
use serde::Deserialize;

use crate::base::clock;
use crate::edge::admission::{Admission, ConnectionPermit};
use crate::edge::client_js;
use crate::edge::limit_exceeded::LimitExceeded;
use crate::edge::session::protocol::Protocol;
use crate::edge::sessions::Sessions;
use crate::net::client_ip::TrustedProxies;
use crate::net::origin::Origins;

/// Read buffer of one connection, in bytes. The library's default of 128 KiB suits few connections that
/// receive much; ours are many and receive little.
const READ_BUFFER_BYTES: usize = 512;

/// Bytes gathered before they are written to the socket. The connection keeps the buffer that a burst has
/// needed, so it holds no more than a few frames.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;

/// A pseudo-subprotocol that carries the token. Pages cannot set an `Authorization` header, and servers log
/// the query string; the subprotocol list has neither problem.
const TOKEN_PROTOCOL_PREFIX: &str = "chatpush.token.";

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who may connect.
#[derive(Clone, Debug)]
pub(crate) struct HandshakePolicy {
    /// Verifies tokens.
    pub(crate) verifier: Verifier,
    /// Origins of pages that may connect.
    pub(crate) origins: Origins,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) proxies: TrustedProxies,
    /// How many may connect, and how fast.
    pub(crate) admission: Admission,
}

#[derive(Clone, Debug)]
struct HandshakeState {
    policy: HandshakePolicy,
    sessions: Sessions,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    token: Option<String>,
}

/// `GET /ws` with the token in the query string (`?token=`), in `Authorization: Bearer`, or in the list of
/// subprotocols (`chatpush.token.` and the token); and the client library, `GET /chatpush.js`.
pub(crate) fn router(policy: HandshakePolicy, sessions: Sessions) -> Router {
    let state = HandshakeState { policy, sessions };
    Router::new().route("/ws", get(upgrade)).with_state(state).route("/chatpush.js", get(client_js::serve))
}

async fn upgrade(
    State(HandshakeState { policy, sessions }): State<HandshakeState>,
    Extension(permit): Extension<ConnectionPermit>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let checked = async {
        let permit = policy.with_address_permit(permit, &headers)?;
        let token = policy.authenticate(parameters, &headers)?;
        let upgrade = upgrade.map_err(IntoResponse::into_response)?.protocols(Protocol::NAMES);
        let protocol = Protocol::negotiated(upgrade.selected_protocol().and_then(|name| name.to_str().ok()));
        policy.admission.check_capacity(sessions.connections())?;
        let registration = sessions.register(token.user, protocol, permit)?;
        policy.admission.acquire().await?;
        Ok::<_, Denied>((token, upgrade, protocol, registration))
    };
    let (token, upgrade, protocol, registration) = match checked.await {
        Ok(checked) => checked,
        Err(Denied(response)) => return *response,
    };
    let message_bytes = policy.admission.limits().message_bytes;
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(message_bytes)
        .max_frame_size(message_bytes)
        .on_upgrade(move |socket| sessions.serve(socket, registration, token.expires, protocol))
}

/// The response to a handshake that is not accepted.
struct Denied(Box<Response>);

impl From<Response> for Denied {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl From<LimitExceeded> for Denied {
    fn from(rejection: LimitExceeded) -> Self {
        rejection.count().response().into()
    }
}

impl HandshakePolicy {
    /// The permit with the address permit of the client behind the proxy, if a proxy has forwarded the
    /// request.
    fn with_address_permit(
        &self,
        mut permit: ConnectionPermit,
        headers: &HeaderMap,
    ) -> Result<ConnectionPermit, LimitExceeded> {
        if permit.address_permit.is_none() {
            // The nearest proxy's entry is the last one, whatever bytes a client has sent before it.
            let lines = headers.get_all(X_FORWARDED_FOR).iter();
            let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
            let forwarded = lines.iter().flat_map(|line| line.split(','));
            // A proxy that names no client must not lock out everybody behind it, so nothing is counted then.
            if let Some(client) = self.proxies.client(permit.peer, forwarded) {
                permit.address_permit = Some(self.admission.acquire_address(client)?.into());
            }
        }
        Ok(permit)
    }

    /// The request's token, verified; or the response that says what is wrong with the request.
    fn authenticate(
        &self,
        parameters: Result<Query<Parameters>, QueryRejection>,
        headers: &HeaderMap,
    ) -> Result<VerifiedToken, Denied> {
        let Query(parameters) = parameters.map_err(IntoResponse::into_response)?;
        if !self.origins.allow(text(headers, header::ORIGIN), text(headers, header::HOST)) {
            let reason = "origin is not allowed: see allowed_origins in chatpush.toml\n";
            return Err((StatusCode::FORBIDDEN, reason).into_response().into());
        }
        let in_query = parameters.token.as_deref().filter(|token| !token.is_empty());
        let token = in_query.or_else(|| bearer(headers)).or_else(|| subprotocol(headers));
        let token = token.ok_or_else(|| unauthorized("token is missing: /ws?token=…"))?;
        self.verifier
            .verify(token, clock::unix_seconds())
            .map_err(|error| unauthorized(&error.to_string()).into())
    }
}

/// The token in `Authorization: Bearer`. The scheme is case-insensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// The token in the list of subprotocols.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let mut offered = text(headers, header::SEC_WEBSOCKET_PROTOCOL)?.split(',').map(str::trim);
    offered.find_map(|name| name.strip_prefix(TOKEN_PROTOCOL_PREFIX))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn unauthorized(reason: &str) -> Response {
    // RFC 9110 section 15.5.2 requires the challenge beside a 401.
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], format!("{reason}\n")).into_response()
}
