//! The WebSocket handshake: who may connect, and the upgrade. Everything is checked before the upgrade, so
//! that a client can read the reason.

use std::borrow::Cow;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chatpush_wire::id::UserIdType;
use chatpush_wire::token::VerifiedToken;
use serde::Deserialize;

use crate::base::clock;
use crate::config::Live;
use crate::edge::admission::{Admission, ConnectionPermit};
use crate::edge::client_js;
use crate::edge::limit_exceeded::LimitExceeded;
use crate::edge::rejection::{Reason, Rejection, forwarded_client};
use crate::edge::revocations::Revocations;
use crate::edge::session::credentials::Credentials;
use crate::edge::session::protocol::Protocol;
use crate::edge::sessions::Sessions;
use crate::edge::upgrade::{InvalidUpgrade, Upgrade, elements};
use crate::edge::vapid_key::{self, VapidKey};
use crate::net::client_ip::TrustedProxies;

/// A pseudo-subprotocol that carries the token. Pages cannot set an `Authorization` header, and servers log
/// the query string; the subprotocol list has neither problem.
const TOKEN_PROTOCOL_PREFIX: &str = "chatpush.token.";

/// Who may connect.
#[derive(Clone, Debug)]
pub(crate) struct HandshakePolicy {
    /// The keys of tokens, the origins of pages that may connect, and the proxies whose `X-Forwarded-For` is
    /// believed.
    pub(crate) live: Live,
    /// The type of user ids.
    pub(crate) user_id_type: UserIdType,
    /// Whether the proxies speak the PROXY protocol. Then no `X-Forwarded-For` is believed, since
    /// they forward the client's own headers.
    pub(crate) proxy_protocol: bool,
    /// Which tokens were revoked.
    pub(crate) revocations: Revocations,
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
    /// A subprotocol, for clients behind a proxy that drops the header with the list.
    protocol: Option<String>,
}

/// `GET /ws` with the token in the query string (`?token=`), in `Authorization: Bearer`, or in the list of
/// subprotocols (`chatpush.token.` and the token); the client library, `GET /chatpush.js`, with its
/// worker; and the public key for Web Push.
///
/// Without an upgrade, `GET /ws` says whether the client would be let in, and why not. A page cannot see how
/// a handshake was answered, so this is how it learns the reason. Pages of every origin may read it.
pub(crate) fn router(policy: HandshakePolicy, sessions: Sessions, vapid_key: VapidKey) -> Router {
    let state = HandshakeState { policy, sessions };
    let ws = get(serve).options(preflight);
    let key = Router::new().route("/vapid-public-key", get(vapid_key::serve)).with_state(vapid_key);
    Router::new()
        .route("/ws", ws)
        .with_state(state)
        .route("/chatpush.js", get(client_js::serve))
        .route("/chatpush-worker.js", get(client_js::serve_worker))
        .merge(key)
}

async fn serve(
    State(state): State<HandshakeState>,
    Extension(permit): Extension<ConnectionPermit>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Response {
    let answer = if Upgrade::is_meant(request.headers()) {
        state.connect(permit, parameters, request).await
    } else {
        state.explain(permit, parameters, request.headers()).await
    };
    let mut response = answer.unwrap_or_else(|Denied(response)| *response);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The preflight request of a page of another origin, since `Authorization` is not among the headers that it
/// may send without one.
async fn preflight(
    State(HandshakeState { policy, .. }): State<HandshakeState>,
    Extension(permit): Extension<ConnectionPermit>,
    headers: HeaderMap,
) -> Response {
    if let Err(limit) = policy.with_address_permit(permit, &headers) {
        return limit.response();
    }
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

impl HandshakeState {
    /// Upgrades the connection and serves it.
    async fn connect(
        self,
        permit: ConnectionPermit,
        parameters: Result<Query<Parameters>, QueryRejection>,
        mut request: Request,
    ) -> Result<Response, Denied> {
        let Self { policy, sessions } = self;
        let permit = policy.with_address_permit(permit, request.headers())?;
        let upgrade = Upgrade::of(&mut request).map_err(InvalidUpgrade::response)?;
        let parameters = query(parameters)?;
        let token = policy.authenticate(&parameters, request.headers())?;
        let offered = Protocol::negotiate(elements(request.headers(), header::SEC_WEBSOCKET_PROTOCOL));
        let protocol = offered.or(parameters.protocol()?).unwrap_or(Protocol::Plain);
        policy.admission.check_capacity(sessions.connections())?;
        let user = token.user.clone();
        let credentials = policy.check_revocation(token).await?;
        let registration = sessions.register(user.clone(), protocol, permit)?;
        policy.admission.acquire().await?;
        let (connection, response) = upgrade.accept(offered);
        tokio::spawn(async move {
            match connection.await {
                Ok(upgraded) => sessions.serve(upgraded, registration, credentials, protocol).await,
                Err(error) => tracing::debug!(%user, %error, "the upgrade failed"),
            }
        });
        Ok(response)
    }

    /// Whether a handshake with this token would be accepted now, except that a crowd is not waited for.
    async fn explain(
        &self,
        permit: ConnectionPermit,
        parameters: Result<Query<Parameters>, QueryRejection>,
        headers: &HeaderMap,
    ) -> Result<Response, Denied> {
        let Self { policy, sessions } = self;
        let _permit = policy.with_address_permit(permit, headers)?;
        let parameters = query(parameters)?;
        let token = policy.authenticate(&parameters, headers)?;
        parameters.protocol()?;
        policy.admission.check_capacity(sessions.connections())?;
        let credentials = policy.check_revocation(token).await?;
        sessions.check_user(&credentials.token().user)?;
        Ok("ok\n".into_response())
    }
}

impl Parameters {
    /// The subprotocol in the query string, if there is one.
    fn protocol(&self) -> Result<Option<Protocol>, Denied> {
        let Some(name) = self.protocol.as_deref() else { return Ok(None) };
        let reason = "protocol must be chatpush.v1 or chatpush.raw\n";
        let protocol = Protocol::negotiate(std::iter::once(name));
        protocol.map(Some).ok_or_else(|| (StatusCode::BAD_REQUEST, reason).into_response().into())
    }
}

fn query(parameters: Result<Query<Parameters>, QueryRejection>) -> Result<Parameters, Denied> {
    parameters.map(|Query(parameters)| parameters).map_err(|rejection| rejection.into_response().into())
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
        rejection.response().into()
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
            // A proxy that names no client must not lock out everybody behind it, so nothing is counted then.
            let live = self.live.get();
            let none = TrustedProxies::default();
            let proxies = if self.proxy_protocol { &none } else { &live.trusted_proxies };
            if let Some(client) = forwarded_client(proxies, permit.peer, headers) {
                permit.address_permit = Some(self.admission.acquire_address(client)?.into());
            }
        }
        Ok(permit)
    }

    /// The request's token, verified; or the response that says what is wrong with the request.
    fn authenticate(&self, parameters: &Parameters, headers: &HeaderMap) -> Result<VerifiedToken, Denied> {
        let live = self.live.get();
        if !live.allowed_origins.allow(origin(headers).as_deref(), text(headers, header::HOST)) {
            let reason = "origin is not allowed: see allowed_origins in chatpush.toml\n";
            return Err((StatusCode::FORBIDDEN, foreign_origin(headers), reason).into_response().into());
        }
        let in_query = parameters.token.as_deref().filter(|token| !token.is_empty());
        let token = in_query.or_else(|| bearer(headers)).or_else(|| subprotocol(headers));
        let token = token.ok_or_else(|| unauthorized(Reason::Missing, "token is missing: /ws?token=…"))?;
        live.tokens
            .verifier(self.user_id_type)
            .verify(token, clock::unix_seconds())
            .map_err(|error| unauthorized(error.into(), &error.to_string()).into())
    }

    /// The credentials of a token that is not revoked. The connection is not registered before this, so that
    /// its user does not count as online for a moment. A token that is revoked right after it is noticed by
    /// the session, which looks again once it is subscribed.
    async fn check_revocation(&self, token: VerifiedToken) -> Result<Credentials, Denied> {
        let revoked_before = self.revocations.revoked_before(&token.user).await;
        Credentials::new(token, revoked_before)
            .map_err(|error| unauthorized(Reason::Revoked, &error.to_string()).into())
    }
}

/// The token in `Authorization: Bearer`. The scheme is case-insensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token)
}

/// The token in the list of subprotocols.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let mut offered = elements(headers, header::SEC_WEBSOCKET_PROTOCOL);
    offered.find_map(|name| name.strip_prefix(TOKEN_PROTOCOL_PREFIX))
}

/// The page's origin; `None` only if the request names none. One that cannot be read, or several, are an
/// origin that is on no list.
fn origin(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut lines = headers.get_all(header::ORIGIN).into_iter();
    let first = String::from_utf8_lossy(lines.next()?.as_bytes());
    Some(if lines.next().is_none() { first } else { Cow::Borrowed("several") })
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The rejection of a page whose origin is not allowed, with what an operator needs to allow it.
fn foreign_origin(headers: &HeaderMap) -> Extension<Rejection> {
    let shortened = |name| text(headers, name).unwrap_or_default().chars().take(200).collect::<String>();
    let error = format!(
        "origin {:?} is not allowed for the host {:?}: see allowed_origins in chatpush.toml",
        shortened(header::ORIGIN),
        shortened(header::HOST)
    );
    Extension(Rejection { reason: Reason::Origin, error: error.into() })
}

fn unauthorized(reason: Reason, error: &str) -> Response {
    let rejection = Extension(Rejection { reason, error: error.to_owned().into() });
    // RFC 9110 section 15.5.2 requires the challenge beside a 401.
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, rejection, format!("{error}\n")).into_response()
}
