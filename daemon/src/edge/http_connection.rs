//! One HTTP/1.1 connection that serves a single request.

use std::convert::Infallible;
use std::io;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest head of a request, in bytes. hyper's buffer cannot be much smaller.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves one request, and the upgrade if there is one. The connection is closed after any other response: a
/// second request would escape the handshake timeout.
pub(super) async fn serve<S, F>(stream: S, respond: impl Fn(Request<Incoming>) -> F) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Response<Body>>,
{
    let service = service_fn(|request| {
        let response = respond(request);
        async move {
            let mut response = response.await;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                // An Upgrade header must be listed (RFC 9110 section 7.8).
                let has_upgrade = response.headers().contains_key(header::UPGRADE);
                let connection = if has_upgrade { "close, upgrade" } else { "close" };
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static(connection));
            }
            Ok::<_, Infallible>(response)
        }
    });
    http1::Builder::new()
        // The caller has a timeout for the whole handshake.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}
