//! A connected socket under a deadline: TCP, TLS or Unix.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use chatpush_wire::address::Endpoint;
use socket2::Socket;

use super::error::LinkError;
use super::socket::{self, Ready};
use super::tls::TlsStream;

/// A connected socket.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP or Unix.
    Plain(Socket),
    /// TLS on TCP.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Connects within the deadline. Sent bytes that the host of Redis does not acknowledge within
    /// `unacknowledged` end the connection.
    pub(super) fn connect(
        endpoint: &Endpoint,
        unacknowledged: Duration,
        deadline: Instant,
    ) -> Result<Self, LinkError> {
        Ok(match endpoint {
            Endpoint::Unix(path) => Self::Plain(socket::unix(path, deadline)?),
            Endpoint::Tcp { host, port, tls } => {
                let socket = socket::tcp(host, *port, unacknowledged, deadline)?;
                if *tls {
                    Self::Tls(Box::new(TlsStream::handshake(socket, host, deadline)?))
                } else {
                    Self::Plain(socket)
                }
            }
        })
    }

    /// Sends everything or fails.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => return tls.write_all(bytes, deadline),
        };
        while !bytes.is_empty() {
            match socket.write(bytes) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    socket::wait(socket, Ready::Write, deadline)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there. `None`: nothing is.
    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, LinkError> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => return tls.try_read(buffer),
        };
        loop {
            match socket.read(buffer) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(read) => return Ok(Some(read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until a read finds bytes, the end, or an error.
    pub(super) fn wait(&self, deadline: Instant) -> Result<(), LinkError> {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        };
        socket::wait(socket, Ready::Read, deadline)
    }
}
