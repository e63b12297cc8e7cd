//! What the daemon serves: sockets to browsers, and its health to whoever runs it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chatpush_wire::token::{self, Secret};
use serde::Deserialize;
use tokio::time::timeout;

use crate::bus::Commands;
use crate::bus::lease::Lease;
use crate::hub::Hub;
use crate::metrics;
use crate::origin::Origins;
use crate::presence::Presence;
use crate::script;
use crate::session::{MESSAGE_BYTES, Protocol, Sessions};
use crate::store::Store;

/// Read buffer of one connection. The library's default of 128 KiB is for few connections that send much;
/// ours are many and send little.
const READ_BUFFER: usize = 4 * 1024;

/// Bound on each question that `/ready` asks.
const READY: Duration = Duration::from_secs(2);

/// Start of a subprotocol that is no protocol but carries the token, where neither the address, which servers
/// log, nor a header of its own, which browsers do not let a page set, will do.
const TOKEN_PROTOCOL: &str = "chatpush.token.";

/// Who may connect.
#[derive(Clone, Debug)]
pub struct Door {
    /// The keys of tokens, the one that signs first.
    pub secrets: Arc<[Secret]>,
    /// The pages.
    pub origins: Origins,
}

#[derive(Clone, Debug)]
struct Browsers {
    door: Door,
    sessions: Sessions,
}

#[derive(Debug, Deserialize)]
struct Connect {
    token: Option<String>,
}

/// What `/ready` looks at.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Redis.
    pub commands: Commands,
    /// MySQL.
    pub store: Store,
    /// Who is subscribed.
    pub presence: Presence,
    /// Who writes.
    pub lease: Lease,
    /// Who is connected.
    pub hub: Arc<Hub>,
}

/// The public side: `GET /ws`, with the token in the address (`?token=`), in `Authorization: Bearer`, or in the
/// list of subprotocols (`chatpush.token.` and the token). Also the client, `GET /chatpush.js`.
pub fn browsers(door: Door, sessions: Sessions) -> Router {
    let state = Browsers { door, sessions };
    Router::new().route("/ws", get(connect)).with_state(state).route("/chatpush.js", get(script::serve))
}

/// The operator's side: `GET /health` answers while the process lives, `GET /ready` says whether messages
/// get through, `GET /metrics` what was counted.
pub fn admin(readiness: Readiness) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(counted))
        .with_state(readiness)
}

/// Refuses a foreign page and a bad token before the upgrade, so that the reason can be read.
async fn connect(
    State(state): State<Browsers>,
    Query(query): Query<Connect>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !state.door.origins.allow(text(header::ORIGIN), text(header::HOST)) {
        let reason = "origin is not allowed: see allowed_origins in chatpush.toml\n";
        return (StatusCode::FORBIDDEN, reason).into_response();
    }
    let bearer = || text(header::AUTHORIZATION)?.strip_prefix("Bearer ").map(str::to_owned);
    let protocol = || {
        let mut offered = text(header::SEC_WEBSOCKET_PROTOCOL)?.split(',').map(str::trim);
        offered.find_map(|name| name.strip_prefix(TOKEN_PROTOCOL)).map(str::to_owned)
    };
    let Some(token) = query.token.or_else(bearer).or_else(protocol) else {
        return unauthorized("token is missing: /ws?token=…");
    };
    let pass = match token::verify(&state.door.secrets, &token, now()) {
        Ok(pass) => pass,
        Err(error) => return unauthorized(&error.to_string()),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let upgrade = upgrade.protocols(Protocol::NAMES);
    let protocol = Protocol::agreed(upgrade.selected_protocol().and_then(|name| name.to_str().ok()));
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(READ_BUFFER)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_upgrade(move |socket| state.sessions.serve(socket, pass, state.door.secrets, protocol))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn unauthorized(reason: &str) -> Response {
    // RFC 9110 section 15.5.2 wants the challenge beside a 401.
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], format!("{reason}\n")).into_response()
}

async fn counted(State(readiness): State<Readiness>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics::text(readiness.hub.connections())).into_response()
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let redis = async {
        readiness.commands.ping().await.map_err(|error| error.to_string())?;
        match readiness.lease.is_held().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("no daemon is the writer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let mysql = async { readiness.store.ping().await.map_err(|error| error.to_string()) };
    let (redis, mysql) = tokio::join!(timeout(READY, redis), timeout(READY, mysql));
    let late = || Err("no answer in time".to_owned());
    let subscribed = if readiness.presence.is_up() { Ok(()) } else { Err("not subscribed".to_owned()) };
    let parts = [
        ("redis", redis.unwrap_or_else(|_| late())),
        ("mysql", mysql.unwrap_or_else(|_| late())),
        ("subscriptions", subscribed),
    ];
    let fine = parts.iter().all(|(_, state)| state.is_ok());
    let lines = parts
        .map(|(part, state)| format!("{part}: {}\n", state.map_or_else(|why| why, |()| "ok".to_owned())));
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, lines.concat()).into_response()
}
