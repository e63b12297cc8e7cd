//! `GET /chatpush.js`: the browser client, served by the daemon so that both have the same version.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The script as built from `js/`.
const PLAIN: &[u8] = include_bytes!("../../../js/dist/chatpush.js");

static CLIENT_JS: LazyLock<ClientJs> = LazyLock::new(ClientJs::new);

struct ClientJs {
    /// The script compressed; empty if compression failed.
    gzip: Vec<u8>,
    /// The first 64 bits of its SHA-256, in hexadecimal.
    hash: String,
}

impl ClientJs {
    fn new() -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to a Vec cannot fail. Without the compressed script the plain one is served.
        let gzip = encoder.write_all(PLAIN).and_then(|()| encoder.finish()).unwrap_or_default();
        let digest = Sha256::digest(PLAIN);
        let start: [u8; 8] = std::array::from_fn(|at| digest[at]);
        Self { gzip, hash: format!("{:016x}", u64::from_be_bytes(start)) }
    }
}

/// Serves the script. It is revalidated by its hash (RFC 9110 section 8.8.3); under `?v=<hash>` it never
/// changes and may be cached for a year.
pub(crate) async fn serve(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let contains = |name: HeaderName, what: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(what))
    };
    let gzip = contains(header::ACCEPT_ENCODING, "gzip") && !CLIENT_JS.gzip.is_empty();
    // Two encodings are two representations and must not share a strong ETag.
    let tag = format!("\"{}{}\"", CLIENT_JS.hash, if gzip { "-gzip" } else { "" });
    let versioned = query.as_deref() == Some(&format!("v={}", CLIENT_JS.hash));
    let cache_control = if versioned { "public, max-age=31536000, immutable" } else { "public, no-cache" };
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
        (common, content_type, [(header::CONTENT_ENCODING, "gzip")], CLIENT_JS.gzip.as_slice())
            .into_response()
    } else {
        (common, content_type, PLAIN).into_response()
    }
}
