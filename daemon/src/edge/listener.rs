//! The public listener: from a socket that was accepted to a request of a client whose address is known, all
//! within the time for a handshake.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use crate::base::metrics;
use crate::edge::admission::{Admission, ConnectionPermit, Rejection, SocketPermit};
use crate::edge::tls::Tls;
use crate::net::client_ip::TrustedProxies;
use crate::net::proxy_protocol;

/// Longest head of a request; the library reads no less.
const HEAD: usize = 16 * 1024;

/// Bytes that the kernel keeps for a client beyond those that are on their way.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// Pause after a socket could not be accepted, for want of files or memory.
const PAUSE: Duration = Duration::from_secs(1);

/// Where browsers come in. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Who is let in.
    pub admission: Admission,
    /// Who is believed when they speak for others.
    pub proxies: TrustedProxies,
    /// Whether those begin each connection with a PROXY header.
    pub proxy_protocol: bool,
    /// The certificate, if TLS is spoken here.
    pub tls: Option<Arc<Tls>>,
}

impl Listener {
    /// Serves what is accepted until told to stop. Connections that were upgraded are the router's.
    pub async fn run(self, listener: TcpListener, router: Router, stop: CancellationToken) {
        let handshakes = TaskTracker::new();
        loop {
            let (socket, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => (socket, peer.ip().to_canonical()),
                    // Gone before it was looked at (accept(2)).
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
                () = stop.cancelled() => break,
            };
            match self.admission.acquire_socket() {
                Ok(permit) => {
                    let (entrance, router, stop) = (self.clone(), router.clone(), stop.clone());
                    handshakes.spawn(async move {
                        tokio::select! {
                            () = entrance.handle_connection(socket, peer, permit, router) => {}
                            // Nobody is let in any more; the client finds another daemon.
                            () = stop.cancelled() => {}
                        }
                    });
                }
                Err(refusal) => self.reject(&socket, refusal),
            }
        }
        drop((listener, router));
        handshakes.close();
        handshakes.wait().await;
    }

    async fn handle_connection(self, socket: TcpStream, peer: IpAddr, permit: SocketPermit, router: Router) {
        tune(&socket);
        let within = self.admission.limits().handshake;
        let served = timeout(within, self.handshake(socket, peer, permit, router)).await;
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::warn!(%peer, %error, "refused");
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a handshake failed"),
            Err(_) => {
                metrics::LATE.add(1);
                tracing::debug!(%peer, "a handshake took too long");
            }
        }
    }

    async fn handshake(
        &self,
        mut socket: TcpStream,
        mut peer: IpAddr,
        permit: SocketPermit,
        router: Router,
    ) -> io::Result<()> {
        if self.proxy_protocol && !self.proxies.trusts(peer) {
            metrics::REFUSED.add(1);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not in trusted_proxies"));
        }
        let proxied = if self.proxy_protocol { proxy_protocol::read(&mut socket).await? } else { None };
        // Who stands in a PROXY header is the client, on the list or not.
        let unnamed = proxied.is_none() && self.proxies.trusts(peer);
        peer = proxied.unwrap_or(peer).to_canonical();
        let address_permit = if unnamed {
            None
        } else {
            match self.admission.acquire_address(peer) {
                Ok(address_permit) => Some(Arc::new(address_permit)),
                Err(refusal) => {
                    self.reject(&socket, refusal);
                    return Ok(());
                }
            }
        };
        let permit = ConnectionPermit { peer, address_permit, socket_permit: Arc::new(permit) };
        match &self.tls {
            Some(tls) => serve(tls.acceptor().accept(socket).await?, permit, router).await,
            None => serve(socket, permit, router).await,
        }
    }

    /// Says why, to who may hear it: without TLS, and as far as the socket takes it at once.
    fn reject(&self, socket: &TcpStream, refusal: Rejection) {
        metrics::REFUSED.add(1);
        if self.tls.is_none() {
            let status = refusal.status();
            let body = format!("{refusal}\n");
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            // Who cannot be told sees the connection close.
            let _ = socket.try_write(answer.as_bytes());
        }
    }
}

/// Frames are small and wanted at once, so they must not wait for more (Nagle's algorithm). What a client does not
/// take waits in the outbox, where it is counted, and not in the kernel (`TCP_NOTSENT_LOWAT` in tcp(7)).
fn tune(socket: &TcpStream) {
    let tuned = socket.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tuned = tuned.and_then(|()| SockRef::from(socket).set_tcp_notsent_lowat(UNSENT));
    if let Err(error) = tuned {
        tracing::debug!(%error, "an option of the socket was refused");
    }
}

/// Serves one request. A second one on the same connection would be a way around the time for a handshake.
async fn serve<S>(stream: S, permit: ConnectionPermit, router: Router) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(permit.clone());
        let mut router = router.clone();
        async move {
            let mut response = router.call(request).await?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}
