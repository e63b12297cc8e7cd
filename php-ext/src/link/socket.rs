//! Opening a TCP or Unix socket within a deadline.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::error::{LinkError, of_timed};

/// Connecting to a Unix socket waits while the listener's backlog is full. The send timeout bounds that too
/// (`socket(7)`, `SO_SNDTIMEO`).
pub(super) fn unix(path: &Path, deadline: Instant) -> Result<UnixStream, LinkError> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(left(deadline)?))?;
    socket.connect(&address).map_err(of_timed)?;
    Ok(socket.into())
}

/// Tries each address of the host in turn.
pub(super) fn tcp(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, LinkError> {
    let mut last = LinkError::NoAddress(host.to_owned());
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(tcp) => {
                // Nagle's algorithm would delay requests, which are small.
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => last = of_timed(error),
        }
    }
    Err(last)
}

/// The time until the deadline. It is never zero, which a socket timeout cannot be.
pub(super) fn left(deadline: Instant) -> Result<Duration, LinkError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(LinkError::Timeout) } else { Ok(left) }
}
