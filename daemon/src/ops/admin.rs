//! The operator's side: health, readiness and numbers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::base::metrics;
use crate::broker::Commands;
use crate::broker::lease::Lease;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::Hub;
use crate::store::Store;

/// Bound on each question that `/ready` asks.
const READY: Duration = Duration::from_secs(2);

/// What `/ready` looks at.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Redis.
    pub commands: Commands,
    /// MySQL.
    pub store: Store,
    /// Who is subscribed.
    pub subscriptions: Subscriptions,
    /// Who writes.
    pub lease: Lease,
    /// Who is connected.
    pub hub: Arc<Hub>,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
}

/// `GET /health` answers while the process lives, `GET /ready` says whether messages get through and new
/// connections are taken, `GET /metrics` what was counted.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(counted))
        .with_state(readiness)
}

async fn counted(State(readiness): State<Readiness>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, metrics::text(readiness.hub.connections(), readiness.hub.queued_bytes())).into_response()
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
    let subscribed = if readiness.subscriptions.is_up() { Ok(()) } else { Err("not subscribed".to_owned()) };
    let stopping = if readiness.stop.is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) };
    let parts = [
        ("redis", redis.unwrap_or_else(|_| late())),
        ("mysql", mysql.unwrap_or_else(|_| late())),
        ("subscriptions", subscribed),
        ("connections", stopping),
    ];
    let fine = parts.iter().all(|(_, state)| state.is_ok());
    let lines = parts
        .map(|(part, state)| format!("{part}: {}\n", state.map_or_else(|why| why, |()| "ok".to_owned())));
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, lines.concat()).into_response()
}
