//! A socket under a deadline: TCP, TLS or Unix.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::error::LinkError;
use super::socket::left;
use super::tls::TlsStream;
use super::{socket, tls};
use chatpush_wire::address::Endpoint;

/// Socket timeouts are multiples of this, so that most calls need not set them again.
const STEP: Duration = Duration::from_millis(100);

/// A connected socket and the timeouts that are set on it.
#[derive(Debug)]
pub(super) struct Stream {
    channel: Channel,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

#[derive(Debug)]
enum Channel {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

impl Stream {
    /// Connects within the deadline.
    pub(super) fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Self, LinkError> {
        let channel = match endpoint {
            Endpoint::Unix(path) => Channel::Unix(socket::unix(path, deadline)?),
            Endpoint::Tcp { host, port, tls } => {
                let tcp = socket::tcp(host, *port, deadline)?;
                if *tls {
                    Channel::Tls(Box::new(tls::handshake(tcp, host, deadline)?))
                } else {
                    Channel::Tcp(tcp)
                }
            }
        };
        Ok(Self { channel, read_timeout: None, write_timeout: None })
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let written = self.write(deadline, |channel| match channel {
                Channel::Tcp(tcp) => tcp.write(bytes),
                Channel::Tls(tls) => tls.write(bytes),
                Channel::Unix(unix) => unix.write(bytes),
            })?;
            if written == 0 {
                return Err(LinkError::Closed);
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        self.write(deadline, |channel| match channel {
            Channel::Tls(tls) => tls.flush(),
            Channel::Tcp(_) | Channel::Unix(_) => Ok(()),
        })
    }

    /// Whether a read would find something. Always false with TLS, where bytes on the socket need not be an
    /// answer.
    pub(super) fn has_bytes(&self) -> bool {
        match self.channel {
            Channel::Tcp(_) | Channel::Unix(_) => !matches!(peek(&self.channel.socket()), Peeked::Nothing),
            Channel::Tls(_) => false,
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        loop {
            let wait = whole_steps(left(deadline)?);
            if self.read_timeout != Some(wait) {
                self.channel.socket().set_read_timeout(Some(wait))?;
                self.read_timeout = Some(wait);
            }
            let read = match &mut self.channel {
                Channel::Tcp(tcp) => tcp.read(buffer),
                Channel::Tls(tls) => tls.read(buffer),
                Channel::Unix(unix) => unix.read(buffer),
            };
            match read {
                Ok(0) => return Err(LinkError::Closed),
                Ok(read) => return Ok(read),
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Repeats a step of writing until it succeeds or the deadline has passed.
    fn write<T>(
        &mut self,
        deadline: Instant,
        mut step: impl FnMut(&mut Channel) -> io::Result<T>,
    ) -> Result<T, LinkError> {
        loop {
            let wait = whole_steps(left(deadline)?);
            if self.write_timeout != Some(wait) {
                self.channel.socket().set_write_timeout(Some(wait))?;
                self.write_timeout = Some(wait);
            }
            match step(&mut self.channel) {
                Err(error) if is_transient(&error) => {}
                done => return Ok(done?),
            }
        }
    }

    /// Whether the other side has neither closed the connection nor sent anything.
    pub(super) fn is_quiet(&mut self) -> bool {
        match (peek(&self.channel.socket()), &mut self.channel) {
            (Peeked::Nothing, _) => true,
            (Peeked::Bytes, Channel::Tls(stream)) => tls::is_quiet(stream),
            (Peeked::Bytes | Peeked::Closed, _) => false,
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

enum Peeked {
    Nothing,
    Bytes,
    Closed,
}

fn peek(socket: &SockRef<'_>) -> Peeked {
    match socket.recv_with_flags(&mut [MaybeUninit::uninit()], libc::MSG_PEEK | libc::MSG_DONTWAIT) {
        Ok(0) => Peeked::Closed,
        Ok(_) => Peeked::Bytes,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Peeked::Nothing,
        Err(_) => Peeked::Closed,
    }
}

/// Rounds down to whole steps; the rest is waited for in another turn. A time below one step stays as it is.
fn whole_steps(left: Duration) -> Duration {
    let steps = u32::try_from(left.as_millis() / STEP.as_millis()).unwrap_or(u32::MAX);
    if steps == 0 { left } else { STEP * steps }
}

/// Whether the step may be repeated: it was interrupted, or the socket's timeout has passed.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
