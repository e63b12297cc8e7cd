//! The public listener: from an accepted socket to a request of a client whose address is known, all within
//! the handshake timeout.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use crate::base::metrics;
use crate::config::Live;
use crate::edge::admission::{Admission, ConnectionPermit, SocketPermit};
use crate::edge::http_connection;
use crate::edge::limit_exceeded::LimitExceeded;
use crate::edge::rejection::{Handshake, Reason, Rejection, Rejections};
use crate::edge::tls::Tls;
use crate::net::client_ip::TrustedProxies;
use crate::net::proxy_protocol;

/// Bytes that the kernel may buffer for a client beyond those in flight.
#[cfg(target_os = "linux")]
const NOTSENT_LOWAT_BYTES: u32 = 128 * 1024;

/// The pause after `accept` has failed for want of files or memory.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_secs(1);

/// How many connections beyond a limit are answered at a time. Further ones are closed without a response.
pub(crate) const REJECTING: usize = 128;

/// How long such a socket may take to send its request and to read the response.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The public listener. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    admission: Admission,
    live: Live,
    proxy_protocol: bool,
    tls: Arc<Tls>,
    rejecting: Arc<Semaphore>,
    rejections: Rejections,
}

impl Listener {
    /// A listener that speaks TLS if `tls` has a certificate. With `proxy_protocol`, every connection must come
    /// from one of the trusted proxies and begin with a PROXY header.
    pub(crate) fn new(admission: Admission, live: Live, proxy_protocol: bool, tls: Arc<Tls>) -> Self {
        let (rejecting, rejections) = (Arc::new(Semaphore::new(REJECTING)), Rejections::default());
        Self { admission, live, proxy_protocol, tls, rejecting, rejections }
    }

    /// Serves accepted sockets until `stop` is cancelled. Upgraded connections live on in the router's tasks.
    pub(crate) async fn run(self, listener: TcpListener, router: Router, stop: CancellationToken) {
        let handshakes = TaskTracker::new();
        loop {
            let (socket, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => (socket, peer.ip().to_canonical()),
                    // The client has gone before it was accepted (accept(2)).
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                        continue;
                    }
                },
                () = stop.cancelled() => break,
            };
            self.spawn_connection(&handshakes, socket, peer, &router, &stop);
        }
        drop((listener, router));
        handshakes.close();
        handshakes.wait().await;
    }

    /// Serves a socket in a task of its own, if there is a permit for it. When the daemon stops, handshakes under
    /// way are dropped, and their clients connect to another daemon.
    fn spawn_connection(
        &self,
        handshakes: &TaskTracker,
        socket: TcpStream,
        peer: IpAddr,
        router: &Router,
        stop: &CancellationToken,
    ) {
        let (listener, router, stop) = (self.clone(), router.clone(), stop.clone());
        match self.admission.acquire_socket() {
            Ok(permit) => {
                let connection = listener.handle_connection(socket, peer, permit, router);
                handshakes.spawn(async move { _ = stop.run_until_cancelled(connection).await });
            }
            Err(limit) => {
                if let Some(permit) = self.note_rejection(peer, limit) {
                    let has_header = self.proxy_protocol;
                    let connection = listener.reject(socket, limit, has_header, permit);
                    handshakes.spawn(async move { _ = stop.run_until_cancelled(connection).await });
                }
            }
        }
    }

    async fn handle_connection(self, socket: TcpStream, peer: IpAddr, permit: SocketPermit, router: Router) {
        set_options(&socket);
        let handshake = self.handshake(socket, peer, permit, router);
        match timeout(self.admission.limits().handshake, handshake).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "handshake failed"),
            Err(_) => {
                metrics::LATE.inc();
                tracing::debug!(%peer, "handshake timed out");
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
        // With `proxy_protocol`, the address in the header is the client's, even if it is a trusted proxy
        // itself.
        let mut is_client = !self.live.get().trusted_proxies.trusts(peer);
        if self.proxy_protocol {
            if is_client {
                let error = "the peer is not in trusted_proxies".into();
                self.rejections.note(peer, &Rejection { reason: Reason::Proxy, error });
                return Ok(());
            }
            let named = proxy_protocol::read(&mut socket).await.inspect_err(|error| {
                let error = error.to_string().into();
                self.rejections.note(peer, &Rejection { reason: Reason::Proxy, error });
            })?;
            if let Some(named) = named {
                (peer, is_client) = (named.to_canonical(), true);
            }
        }
        let address_permit = if is_client {
            match self.admission.acquire_address(peer) {
                Ok(permit) => Some(Arc::new(permit)),
                Err(limit) => {
                    // A client that does not read its response must not hold a socket of the others.
                    drop(permit);
                    if let Some(permit) = self.note_rejection(peer, limit) {
                        self.clone().reject(socket, limit, false, permit).await;
                    }
                    return Ok(());
                }
            }
        } else {
            // The proxy's X-Forwarded-For will name the client.
            None
        };
        let permit = ConnectionPermit { peer, address_permit, socket_permit: Arc::new(permit) };
        match self.tls.acceptor() {
            Some(tls) => self.serve(tls.accept(socket).await?, permit, router).await,
            None => self.serve(socket, permit, router).await,
        }
    }

    /// Notes a connection beyond a limit. Returns the permit to answer it, if there is one.
    fn note_rejection(&self, client: IpAddr, limit: LimitExceeded) -> Option<OwnedSemaphorePermit> {
        self.rejections.note(client, &limit.rejection());
        self.rejecting.clone().try_acquire_owned().ok()
    }

    /// Answers a connection beyond a limit, behind its PROXY header if that has not been read. With TLS it is
    /// closed without a response: a TLS handshake costs more than the limit protects from.
    async fn reject(
        self,
        mut socket: TcpStream,
        limit: LimitExceeded,
        has_header: bool,
        _permit: OwnedSemaphorePermit,
    ) {
        if self.tls.acceptor().is_some() {
            return;
        }
        let response = async {
            if has_header {
                proxy_protocol::read(&mut socket).await?;
            }
            http_connection::serve(socket, |_request| std::future::ready(limit.response())).await
        };
        // If the response cannot be sent, the TCP close is the signal.
        let _ = timeout(REJECT_TIMEOUT, response).await;
    }

    async fn serve<S>(&self, stream: S, permit: ConnectionPermit, router: Router) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // With `proxy_protocol`, `X-Forwarded-For` is not believed.
        let proxies = if self.proxy_protocol {
            TrustedProxies::default()
        } else {
            self.live.get().trusted_proxies.clone()
        };
        http_connection::serve(stream, |mut request: Request<Incoming>| {
            let handshake = Handshake::of(request.uri().path(), request.headers(), permit.peer, &proxies);
            request.extensions_mut().insert(permit.clone());
            let (mut router, rejections) = (router.clone(), self.rejections.clone());
            async move {
                let Ok(response) = router.call(request).await;
                if let Some(handshake) = handshake {
                    rejections.note_response(&handshake, &response);
                }
                response
            }
        })
        .await
    }
}

/// Frames are small and must not wait for more data (Nagle's algorithm). What a client does not read waits in
/// the outbox, where it is counted, and not in the kernel (`TCP_NOTSENT_LOWAT` in tcp(7)).
fn set_options(socket: &TcpStream) {
    let result = socket.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let result = result.and_then(|()| SockRef::from(socket).set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES));
    if let Err(error) = result {
        tracing::debug!(%error, "cannot set a socket option");
    }
}
