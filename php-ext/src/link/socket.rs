//! Opening a TCP or Unix socket within a deadline, and waiting for one.
//!
//! Sockets do not block. Every wait is a `ppoll` for the time that is left, repeated after a signal: a time
//! of zero looks once, where a socket's own timeout of zero would wait for ever.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::error::LinkError;
use super::resolver;
use super::send_timeout::send_timeout;

/// An idle connection is probed after this long, and again after [`PROBE`]. A path that has died without a
/// word is found before a call needs it, and one through a firewall is kept open.
const IDLE: Duration = Duration::from_secs(15);

/// The time between two probes.
const PROBE: Duration = Duration::from_secs(5);

/// After so many unanswered probes the kernel ends the connection.
const PROBES: u32 = 3;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    /// A read finds bytes, the end, or an error.
    Read,
    /// A write takes bytes, or finds an error.
    Write,
}

/// Connects to a Unix socket. That waits while the listener's backlog is full; a socket that does not block
/// would not wait at all (`connect(2)`, `EAGAIN`). So the send timeout bounds it (`socket(7)`,
/// `SO_SNDTIMEO`).
pub(super) fn unix(path: &Path, deadline: Instant) -> Result<Socket, LinkError> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    loop {
        socket.set_write_timeout(Some(send_timeout(left(deadline)?)))?;
        match socket.connect(&address) {
            Ok(()) => break,
            // Nothing is under way then, unlike with TCP.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(LinkError::Timeout),
            Err(error) => return Err(error.into()),
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Tries each address of the host in turn. Each gets its share of the time that is left, so that one that
/// does not answer leaves time for the next. Sent bytes that the host does not acknowledge within
/// `unacknowledged` end the connection.
pub(super) fn tcp(
    host: &str,
    port: u16,
    unacknowledged: Duration,
    deadline: Instant,
) -> Result<Socket, LinkError> {
    let addresses = resolver::lookup(host, deadline)?;
    let mut last = LinkError::NoAddress(host.to_owned());
    for (at, address) in addresses.iter().enumerate() {
        let rest = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = Instant::now() + left(deadline)? / rest;
        match tcp_to(SocketAddr::new(*address, port), unacknowledged, share) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tcp_to(address: SocketAddr, unacknowledged: Duration, deadline: Instant) -> Result<Socket, LinkError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Nagle's algorithm would delay requests, which are small.
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(PROBE).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(unacknowledged))?;
    #[cfg(not(target_os = "linux"))]
    let _ = unacknowledged;
    match socket.connect(&address.into()) {
        Ok(()) => return Ok(socket),
        // It goes on in the background, also after a signal (`connect(2)`).
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    wait(&socket, Ready::Write, deadline)?;
    match socket.take_error()? {
        None => Ok(socket),
        Some(error) => Err(error.into()),
    }
}

/// Waits until the socket is ready.
pub(super) fn wait(socket: &Socket, ready: Ready, deadline: Instant) -> Result<(), LinkError> {
    let flags = match ready {
        Ready::Read => PollFlags::IN,
        Ready::Write => PollFlags::OUT,
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // A time that is too long for the type is waited for in another turn.
        let time = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        match poll(&mut [PollFd::new(socket, flags)], Some(&time)) {
            Ok(0) if Instant::now() < deadline => {}
            Ok(0) => return Err(LinkError::Timeout),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// The time until the deadline. It is never zero.
fn left(deadline: Instant) -> Result<Duration, LinkError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(LinkError::Timeout) } else { Ok(left) }
}
