//! The browser's client, which the daemon serves itself so that both are of one version.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// As it is built from `js/`.
const PLAIN: &[u8] = include_bytes!("../../../js/dist/chatpush.js");

static SCRIPT: LazyLock<Script> = LazyLock::new(Script::new);

struct Script {
    /// Compressed, or empty if that failed.
    gzip: Vec<u8>,
    /// A digest of the text.
    hash: String,
}

impl Script {
    fn new() -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // WriterConnection to a Vec cannot fail; without the compressed text the plain one is served.
        let gzip = encoder.write_all(PLAIN).and_then(|()| encoder.finish()).unwrap_or_default();
        let digest = Sha256::digest(PLAIN);
        let start: [u8; 8] = std::array::from_fn(|at| digest[at]);
        Self { gzip, hash: format!("{:016x}", u64::from_be_bytes(start)) }
    }
}

/// `GET /chatpush.js`: revalidated by its hash (RFC 9110 section 8.8.3); under `?v=` and that hash it never
/// changes and is kept for a year.
pub(crate) async fn serve(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asks = |name: HeaderName, what: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(what))
    };
    let gzip = asks(header::ACCEPT_ENCODING, "gzip") && !SCRIPT.gzip.is_empty();
    // Two encodings are two representations and must not share a strong tag.
    let tag = format!("\"{}{}\"", SCRIPT.hash, if gzip { "-gzip" } else { "" });
    let named = query.as_deref() == Some(&format!("v={}", SCRIPT.hash));
    let keep = if named { "public, max-age=31536000, immutable" } else { "public, no-cache" };
    let common =
        [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, keep), (header::VARY, "accept-encoding")];
    if asks(header::IF_NONE_MATCH, &tag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if gzip {
        (common, kind, [(header::CONTENT_ENCODING, "gzip")], SCRIPT.gzip.as_slice()).into_response()
    } else {
        (common, kind, PLAIN).into_response()
    }
}
