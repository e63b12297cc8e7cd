//! The admin listener: a page, health, readiness, metrics, and the log filter.

mod access;
mod page;
mod waiting;

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, extract, middleware};
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::access::Guard;
use super::state::State;
use super::status::Status;
use super::{gauges, logging};
use crate::base::backoff::Failure as _;
use crate::base::metrics;
use crate::broker::lease::Lease;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::Hub;
use crate::services::Services;

/// How long each probe of `/ready` may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the admin listener reports on.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// Redis and MySQL.
    pub(crate) services: Arc<Services>,
    /// The writer's lease.
    pub(crate) lease: Lease,
    /// The subscriptions.
    pub(crate) subscriptions: Subscriptions,
    /// The connections.
    pub(crate) hub: Arc<Hub>,
    /// Cancelled when the daemon stops.
    pub(crate) stop: CancellationToken,
}

/// `GET /health` is 200 while the process lives. `GET /ready` is 200 while messages are delivered and stored
/// and new connections are accepted, else 503; the body says which part is not ready. Everything else is for whom
/// [`access`] lets in: `GET /metrics` is for Prometheus, `GET /` a page, `GET /status` and `GET /waiting` the JSON
/// that it shows. `GET /log` is the log filter, and `PUT /log` changes it.
pub(crate) fn router(admin: Admin) -> Router {
    let guard = Guard::new(admin.services.config.live.clone());
    Router::new()
        .route("/", get(page::show))
        .route("/metrics", get(prometheus))
        .route("/status", get(status))
        .route("/waiting", get(waiting::show))
        .route("/log", get(|| async { logging::filter() + "\n" }).put(change_filter))
        .layer(middleware::from_fn_with_state(guard, access::check))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .with_state(admin)
}

async fn status(extract::State(Admin { services, .. }): extract::State<Admin>) -> Response {
    json(&Status::read(&services).await)
}

async fn change_filter(filter: String) -> Response {
    match logging::change_filter(&filter) {
        Ok(()) => (logging::filter() + "\n").into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error + "\n").into_response(),
    }
}

/// An answer in JSON, which nobody keeps.
fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn prometheus(extract::State(Admin { services, hub, .. }): extract::State<Admin>) -> Response {
    let state = State::read(&services).await;
    let text = metrics::text(&gauges::registry(&services, &hub, &state));
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

async fn ready(extract::State(admin): extract::State<Admin>) -> Response {
    let parts = admin.readiness().await;
    let status =
        if parts.iter().all(Part::is_ready) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lines: Vec<_> = parts.iter().map(Part::to_string).collect();
    (status, lines.join("\n") + "\n").into_response()
}

/// A part of the daemon, and why it is not ready.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    state: Result<(), String>,
}

impl Part {
    pub(crate) const fn is_ready(&self) -> bool {
        self.state.is_ok()
    }
}

impl Display for Part {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let state = self.state.as_ref().err().map_or("ok", String::as_str);
        write!(f, "{}: {state}", self.name)
    }
}

/// The outcome of a probe, or that it timed out.
async fn probe(outcome: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    timeout(PROBE_TIMEOUT, outcome).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

impl Admin {
    /// The parts without which messages are not delivered or not stored, or nobody can connect. Takes at most
    /// [`PROBE_TIMEOUT`].
    pub(crate) async fn readiness(&self) -> Vec<Part> {
        let (redis, mysql) = tokio::join!(probe(self.redis()), self.mysql());
        let subscribed = if self.subscriptions.is_up() { Ok(()) } else { Err("not subscribed".to_owned()) };
        let accepting = if self.stop.is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) };
        let mysql = mysql.map(|mysql| ("mysql", mysql));
        let parts = [
            Some(("redis", redis)),
            mysql,
            Some(("subscriptions", subscribed)),
            Some(("connections", accepting)),
        ];
        parts.into_iter().flatten().map(|(name, state)| Part { name, state }).collect()
    }

    async fn redis(&self) -> Result<(), String> {
        // While Redis takes no writes there is no writer, and no daemon does better than this one. It also
        // refuses PING if it cannot write its file.
        let served = match self.lease.is_held().await {
            Ok(false) if self.services.store.is_none() => Ok(true),
            Ok(false) => self.lease.is_refused().await,
            held => held,
        };
        match served {
            Ok(true) => self.services.replicas_error.get().map_or(Ok(()), Err),
            // Then MySQL is why there is none.
            Ok(false) if self.services.writer_error.get().is_some() => Ok(()),
            Ok(false) => Err("no daemon is the writer".to_owned()),
            Err(error) => Err(error.report()),
        }
    }

    /// None without a database.
    async fn mysql(&self) -> Option<Result<(), String>> {
        let store = self.services.store.as_ref()?;
        let usable = async {
            store.ping().await.map_err(|error| error.report())?;
            // The writer waits for the tables of its version.
            store.installation().await.map_err(|error| error.report())?;
            self.services.writer_error.get().map_or(Ok(()), Err)
        };
        Some(probe(usable).await)
    }
}
