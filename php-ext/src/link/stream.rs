//! A socket under a deadline: TCP, TLS or Unix.

#![allow(unsafe_code, reason = "the standard library cannot look at a socket without waiting")]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use super::error::LinkError;
use crate::address::Place;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects within the deadline. Each address that a name has gets a try.
    pub(super) fn connect(place: &Place, deadline: Instant) -> Result<Self, LinkError> {
        match place {
            Place::Unix(path) => unix(path, deadline).map(Self::Unix),
            Place::Tcp { host, port, tls } => {
                let tcp = tcp(host, *port, deadline)?;
                if *tls { encrypted(tcp, host, deadline) } else { Ok(Self::Tcp(tcp)) }
            }
        }
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let left = left(deadline)?;
            let written = match self {
                Self::Tcp(tcp) => bounded(tcp.set_write_timeout(Some(left)), || tcp.write(bytes)),
                Self::Unix(unix) => bounded(unix.set_write_timeout(Some(left)), || unix.write(bytes)),
                Self::Tls(tls) => bounded(tls.sock.set_write_timeout(Some(left)), || tls.write(bytes)),
            };
            match written {
                Ok(0) => return Err(LinkError::Broken("it was closed".to_owned())),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(link_error(&error)),
            }
        }
        match self {
            Self::Tls(tls) => tls.flush().map_err(|error| link_error(&error)),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            let left = left(deadline)?;
            let read = match self {
                Self::Tcp(tcp) => bounded(tcp.set_read_timeout(Some(left)), || tcp.read(buffer)),
                Self::Unix(unix) => bounded(unix.set_read_timeout(Some(left)), || unix.read(buffer)),
                Self::Tls(tls) => bounded(tls.sock.set_read_timeout(Some(left)), || tls.read(buffer)),
            };
            match read {
                Ok(0) => return Err(LinkError::Broken("it was closed".to_owned())),
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(link_error(&error)),
            }
        }
    }

    /// Whether the other side has neither closed the socket nor said anything. With TLS something may well
    /// have been said that is none of Redis's (a session ticket, or that it closes), so it is read.
    pub(super) fn is_quiet(&mut self) -> bool {
        match (peek(self.descriptor()), self) {
            (Seen::Nothing, _) => true,
            (Seen::Bytes, Self::Tls(tls)) => only_tickets(tls),
            (Seen::Bytes | Seen::Closed, _) => false,
        }
    }

    fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(tcp) => tcp.as_raw_fd(),
            Self::Tls(tls) => tls.sock.as_raw_fd(),
            Self::Unix(unix) => unix.as_raw_fd(),
        }
    }
}

/// Reads what has come without waiting; true if the connection is open and Redis has said nothing.
fn only_tickets(tls: &mut StreamOwned<ClientConnection, TcpStream>) -> bool {
    if tls.sock.set_nonblocking(true).is_err() {
        return false;
    }
    let open = loop {
        match tls.conn.read_tls(&mut tls.sock) {
            Ok(0) => break false,
            Ok(_) => match tls.conn.process_new_packets() {
                Ok(state) if state.peer_has_closed() || state.plaintext_bytes_to_read() > 0 => break false,
                Ok(_) => {}
                Err(_) => break false,
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
    };
    tls.sock.set_nonblocking(false).is_ok() && open
}

/// What waits on a socket.
enum Seen {
    Nothing,
    Bytes,
    Closed,
}

fn peek(descriptor: RawFd) -> Seen {
    let mut byte = 0_u8;
    // SAFETY: the descriptor is that of an open socket, and the buffer has the one byte that is announced.
    let got =
        unsafe { libc::recv(descriptor, (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT) };
    match got {
        0 => Seen::Closed,
        1.. => Seen::Bytes,
        _ if std::io::Error::last_os_error().kind() == ErrorKind::WouldBlock => Seen::Nothing,
        _ => Seen::Closed,
    }
}

/// Connecting to a Unix socket waits while the listener's backlog is full; the time for sending bounds that too
/// (`socket(7)`, `SO_SNDTIMEO`).
fn unix(path: &Path, deadline: Instant) -> Result<UnixStream, LinkError> {
    let address = SockAddr::unix(path).map_err(|error| broken(&error))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(|error| broken(&error))?;
    socket.set_write_timeout(Some(left(deadline)?)).map_err(|error| broken(&error))?;
    socket.connect(&address).map_err(|error| link_error(&error))?;
    Ok(socket.into())
}

fn tcp(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, LinkError> {
    let mut last = LinkError::Broken(format!("{host} has no address"));
    for address in (host, port).to_socket_addrs().map_err(|error| broken(&error))? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(tcp) => {
                // Requests are small and wanted at once (Nagle's algorithm would hold them back).
                tcp.set_nodelay(true).map_err(|error| broken(&error))?;
                return Ok(tcp);
            }
            Err(error) => last = link_error(&error),
        }
    }
    Err(last)
}

fn encrypted(tcp: TcpStream, host: &str, deadline: Instant) -> Result<Stream, LinkError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| LinkError::Broken(format!("{host} is no name that a certificate can have")))?;
    let config = tls_config().as_ref().map_err(|why| LinkError::Broken(why.clone()))?;
    let session =
        ClientConnection::new(config.clone(), name).map_err(|error| LinkError::Broken(error.to_string()))?;
    let mut stream = Box::new(StreamOwned::new(session, tcp));
    while stream.conn.is_handshaking() {
        let left = left(deadline)?;
        let StreamOwned { conn, sock } = stream.as_mut();
        sock.set_read_timeout(Some(left))
            .and_then(|()| sock.set_write_timeout(Some(left)))
            .map_err(|e| broken(&e))?;
        conn.complete_io(sock).map_err(|error| link_error(&error))?;
    }
    Ok(Stream::Tls(stream))
}

/// The system's certificates, read once a process and not before the first TLS connection.
fn tls_config() -> &'static Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("the system has no certificates to trust (package ca-certificates)".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    })
}

/// The time that is left, which a socket option cannot take as zero.
fn left(deadline: Instant) -> Result<Duration, LinkError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(LinkError::Timeout) } else { Ok(left) }
}

fn bounded(
    set: std::io::Result<()>,
    step: impl FnOnce() -> std::io::Result<usize>,
) -> std::io::Result<usize> {
    set.and_then(|()| step())
}

fn link_error(error: &std::io::Error) -> LinkError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => LinkError::Timeout,
        _ => broken(error),
    }
}

fn broken(error: &std::io::Error) -> LinkError {
    LinkError::Broken(error.to_string())
}
