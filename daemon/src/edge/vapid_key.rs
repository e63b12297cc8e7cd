//! `GET /vapid-public-key`: the key with which pages subscribe to Web Push (RFC 8292 section 4.1).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chatpush_wire::push_subscription::NO_WEB_PUSH;

/// The key in base64url; none if Web Push is off.
pub(crate) type VapidKey = Option<Arc<str>>;

/// Serves the key to pages of every origin: it is public.
pub(crate) async fn serve(State(key): State<VapidKey>) -> Response {
    let (status, text) = match key {
        Some(key) => (StatusCode::OK, key.to_string()),
        None => (StatusCode::NOT_FOUND, format!("{NO_WEB_PUSH}\n")),
    };
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text).into_response()
}
