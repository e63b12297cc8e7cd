//! `GET /chatpush.js` and `GET /chatpush-worker.js`: the browser client and its service worker, served by the
//! daemon so that all have the same version.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

static CLIENT: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_bytes!("../../../js/dist/chatpush.js")));

static WORKER: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_bytes!("../../../js/dist/chatpush-worker.js")));

/// A script as built from `js/`.
struct Script {
    plain: &'static [u8],
    /// The script compressed; empty if compression failed.
    gzip: Vec<u8>,
    /// The first 64 bits of its SHA-256, in hexadecimal.
    hash: String,
}

/// Serves the client.
pub(crate) async fn serve(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    CLIENT.serve(query.as_deref(), &headers)
}

/// Serves the worker of notifications.
pub(crate) async fn serve_worker(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    WORKER.serve(query.as_deref(), &headers)
}

impl Script {
    fn new(plain: &'static [u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to a Vec cannot fail. Without the compressed script the plain one is served.
        let gzip = encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default();
        let digest = Sha256::digest(plain);
        let start: [u8; 8] = std::array::from_fn(|at| digest[at]);
        Self { plain, gzip, hash: format!("{:016x}", u64::from_be_bytes(start)) }
    }

    /// The script is revalidated by its hash (RFC 9110 section 8.8.3); under `?v=<hash>` it never changes and may be
    /// cached for a year.
    fn serve(&'static self, query: Option<&str>, headers: &HeaderMap) -> Response {
        let contains = |name: HeaderName, what: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(what))
        };
        let gzip = contains(header::ACCEPT_ENCODING, "gzip") && !self.gzip.is_empty();
        // Two encodings are two representations and must not share a strong ETag.
        let tag = format!("\"{}{}\"", self.hash, if gzip { "-gzip" } else { "" });
        let versioned = query == Some(&format!("v={}", self.hash));
        let cache_control =
            if versioned { "public, max-age=31536000, immutable" } else { "public, no-cache" };
        let common = [
            (header::ETAG, tag.as_str()),
            (header::CACHE_CONTROL, cache_control),
            (header::VARY, "accept-encoding"),
        ];
        if contains(header::IF_NONE_MATCH, &tag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let content_type = [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        if gzip {
            (common, content_type, [(header::CONTENT_ENCODING, "gzip")], self.gzip.as_slice()).into_response()
        } else {
            (common, content_type, self.plain).into_response()
        }
    }
}
