//! A socket under a deadline: TCP, TLS or Unix.

use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::error::LinkError;
use crate::address::Endpoint;

/// The socket's own timeout is set in steps of this, so that calls with the same bound need not set it again.
const STEP: Duration = Duration::from_millis(100);

/// A connected socket and how long it was last told to wait.
#[derive(Debug)]
pub(super) struct Stream {
    channel: Channel,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// How the bytes go.
#[derive(Debug)]
enum Channel {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects within the deadline. Each address that a name has gets a try.
    pub(super) fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Self, LinkError> {
        let channel = match endpoint {
            Endpoint::Unix(path) => Channel::Unix(unix(path, deadline)?),
            Endpoint::Tcp { host, port, tls } => {
                let tcp = tcp(host, *port, deadline)?;
                if *tls { encrypted(tcp, host, deadline)? } else { Channel::Tcp(tcp) }
            }
        };
        Ok(Self { channel, read_timeout: None, write_timeout: None })
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let written = self.writing(deadline, |channel| match channel {
                Channel::Tcp(tcp) => tcp.write(bytes),
                Channel::Tls(tls) => tls.write(bytes),
                Channel::Unix(unix) => unix.write(bytes),
            })?;
            if written == 0 {
                return Err(closed());
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        self.writing(deadline, |channel| match channel {
            Channel::Tls(tls) => tls.flush(),
            Channel::Tcp(_) | Channel::Unix(_) => Ok(()),
        })
    }

    /// Whether a read would find something. Never so with TLS, where bytes on the socket need not be an answer.
    pub(super) fn has_bytes(&self) -> bool {
        match self.channel {
            Channel::Tcp(_) | Channel::Unix(_) => !matches!(peek(&self.channel.socket()), Seen::Nothing),
            Channel::Tls(_) => false,
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            let wait = whole_steps(left(deadline)?);
            if self.read_timeout != Some(wait) {
                self.channel.socket().set_read_timeout(Some(wait)).map_err(|error| broken(&error))?;
                self.read_timeout = Some(wait);
            }
            let read = match &mut self.channel {
                Channel::Tcp(tcp) => tcp.read(buffer),
                Channel::Tls(tls) => tls.read(buffer),
                Channel::Unix(unix) => unix.read(buffer),
            };
            match read {
                Ok(0) => return Err(closed()),
                Ok(read) => return Ok(read),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    /// Tries a step again until it is done or the deadline has passed.
    fn writing<T>(
        &mut self,
        deadline: Instant,
        mut step: impl FnMut(&mut Channel) -> std::io::Result<T>,
    ) -> Result<T, LinkError> {
        loop {
            let wait = whole_steps(left(deadline)?);
            if self.write_timeout != Some(wait) {
                self.channel.socket().set_write_timeout(Some(wait)).map_err(|error| broken(&error))?;
                self.write_timeout = Some(wait);
            }
            match step(&mut self.channel) {
                Err(error) if is_passing(&error) => {}
                done => return done.map_err(|error| broken(&error)),
            }
        }
    }

    /// Whether the other side has neither closed the socket nor said anything. With TLS something may well
    /// have been said that is none of Redis's (a session ticket, or that it closes), so it is read.
    pub(super) fn is_quiet(&mut self) -> bool {
        match (peek(&self.channel.socket()), &mut self.channel) {
            (Seen::Nothing, _) => true,
            (Seen::Bytes, Channel::Tls(tls)) => only_tickets(tls),
            (Seen::Bytes | Seen::Closed, _) => false,
        }
    }
}

impl Channel {
    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(tcp) => tcp.into(),
            Self::Tls(tls) => (&tls.sock).into(),
            Self::Unix(unix) => unix.into(),
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

fn peek(socket: &SockRef<'_>) -> Seen {
    match socket.recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Ok(0) => Seen::Closed,
        Ok(_) => Seen::Bytes,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Seen::Nothing,
        Err(_) => Seen::Closed,
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

fn encrypted(tcp: TcpStream, host: &str, deadline: Instant) -> Result<Channel, LinkError> {
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
    Ok(Channel::Tls(stream))
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

/// Rounded down, and the rest waited for in another turn; a time below one step is waited for as it is.
fn whole_steps(left: Duration) -> Duration {
    let steps = u32::try_from(left.as_millis() / STEP.as_millis()).unwrap_or(u32::MAX);
    if steps == 0 { left } else { STEP * steps }
}

/// Whether the step may be tried again: it was interrupted, or the socket has waited as long as it was told.
fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn closed() -> LinkError {
    LinkError::Broken("it was closed".to_owned())
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
