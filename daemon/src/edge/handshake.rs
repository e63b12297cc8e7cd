//! What browsers are served: sockets, and the client's script.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chatpush_wire::token::Verifier;
use serde::Deserialize;

use crate::base::clock;
use crate::base::metrics;
use crate::edge::admission::{Admission, ConnectionPermit, Rejection};
use crate::edge::client_js;
use crate::edge::session::{Protocol, Sessions};
use crate::net::client_ip::TrustedProxies;
use crate::net::origin::Origins;

/// Read buffer of one connection. The library's default of 128 KiB is for few connections that send much;
/// ours are many and send little.
const READ_BUFFER: usize = 512;

/// Bytes that are gathered before they are written to the socket. What a burst has needed stays with the
/// connection, so it is no more than a few frames' worth.
const WRITE_BUFFER: usize = 8 * 1024;

/// Start of a subprotocol that is no protocol but carries the token, where neither the address, which servers
/// log, nor a header of its own, which browsers do not let a page set, will do.
const TOKEN_PROTOCOL: &str = "chatpush.token.";

/// What a proxy says whose request it hands on.
const FORWARDED: &str = "x-forwarded-for";

/// Who may connect.
#[derive(Clone, Debug)]
pub struct HandshakePolicy {
    /// What tokens are held against.
    pub verifier: Verifier,
    /// The pages.
    pub origins: Origins,
    /// Who is believed when they name others in a header.
    pub proxies: TrustedProxies,
    /// How many.
    pub admission: Admission,
}

#[derive(Clone, Debug)]
struct HandshakeState {
    policy: HandshakePolicy,
    sessions: Sessions,
}

#[derive(Debug, Deserialize)]
struct Connect {
    token: Option<String>,
}

/// `GET /ws`, with the token in the address (`?token=`), in `Authorization: Bearer`, or in the list of
/// subprotocols (`chatpush.token.` and the token). Also the client, `GET /chatpush.js`.
pub fn router(policy: HandshakePolicy, sessions: Sessions) -> Router {
    let state = HandshakeState { policy, sessions };
    Router::new().route("/ws", get(connect)).with_state(state).route("/chatpush.js", get(client_js::serve))
}

/// Refuses whoever may not come in before the upgrade, so that the reason can be read.
async fn connect(
    State(HandshakeState { policy, sessions }): State<HandshakeState>,
    Extension(permit): Extension<ConnectionPermit>,
    query: Result<Query<Connect>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let permit = match policy.counted(permit, &headers) {
        Ok(permit) => permit,
        Err(refusal) => return refused(refusal),
    };
    let token = match query {
        Ok(Query(query)) => query.token.filter(|token| !token.is_empty()),
        Err(rejection) => return rejection.into_response(),
    };
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !policy.origins.allow(text(header::ORIGIN), text(header::HOST)) {
        let reason = "origin is not allowed: see allowed_origins in chatpush.toml\n";
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let bearer = || {
        // RFC 9110 section 11.1: the scheme's case says nothing.
        let (scheme, token) = text(header::AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.to_owned())
    };
    let protocol = || {
        let mut offered = text(header::SEC_WEBSOCKET_PROTOCOL)?.split(',').map(str::trim);
        offered.find_map(|name| name.strip_prefix(TOKEN_PROTOCOL)).map(str::to_owned)
    };
    let Some(token) = token.or_else(bearer).or_else(protocol) else {
        return unauthorized("token is missing: /ws?token=…");
    };
    let pass = match policy.verifier.verify(&token, clock::unix_seconds()) {
        Ok(pass) => pass,
        Err(error) => return unauthorized(&error.to_string()),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let guard = match policy
        .admission
        .check_capacity(sessions.hub.connections())
        .and_then(|()| sessions.register(pass.user, permit))
    {
        Ok(guard) => guard,
        Err(refusal) => return refused(refusal),
    };
    if let Err(refusal) = policy.admission.acquire().await {
        return refused(refusal);
    }
    let upgrade = upgrade.protocols(Protocol::NAMES);
    let protocol = Protocol::agreed(upgrade.selected_protocol().and_then(|name| name.to_str().ok()));
    let message_bytes = policy.admission.limits().message_bytes;
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(message_bytes)
        .max_frame_size(message_bytes)
        .on_upgrade(move |socket| sessions.serve(socket, guard, pass.expires, protocol))
}

impl HandshakePolicy {
    /// The permit, counted for the address behind the proxy where one has handed the request on.
    fn counted(
        &self,
        mut permit: ConnectionPermit,
        headers: &HeaderMap,
    ) -> Result<ConnectionPermit, Rejection> {
        if permit.address_permit.is_none() {
            // The nearest proxy's word stands last, whatever bytes a client has put before it.
            let lines =
                headers.get_all(FORWARDED).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
            let lines: Vec<_> = lines.collect();
            let forwarded = lines.iter().flat_map(|line| line.split(','));
            // A proxy that does not say for whom it asks is no reason to lock everybody out.
            if let Some(client) = self.proxies.client(permit.peer, forwarded) {
                permit.address_permit = Some(self.admission.acquire_address(client)?.into());
            }
        }
        Ok(permit)
    }
}

fn refused(refusal: Rejection) -> Response {
    metrics::REFUSED.add(1);
    (refusal.status(), [(header::RETRY_AFTER, "1")], format!("{refusal}\n")).into_response()
}

fn unauthorized(reason: &str) -> Response {
    // RFC 9110 section 15.5.2 wants the challenge beside a 401.
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], format!("{reason}\n")).into_response()
}
