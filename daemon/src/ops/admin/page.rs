//! The page: one file without anything from elsewhere. Its style and its script are allowed by their digests, so
//! nothing that a text on it may contain is ever executed.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

const PAGE: &str = include_str!("page.html");

/// The content security policy (CSP level 3).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source("<script>", "</script>"),
        source("<style>", "</style>"),
    )
});

/// The digest of what stands between these two, as a source of the policy.
fn source(start: &str, end: &str) -> String {
    let content =
        PAGE.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map(|(content, _)| content);
    content.map_or_else(
        || "'none'".to_owned(),
        |content| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content))),
    )
}

/// `GET /`.
pub(super) async fn show() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, PAGE).into_response()
}
