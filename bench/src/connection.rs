//! One client's connection, without blocking: opens it, runs the steps of its spec and reads frames.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdTcpStream};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use crate::clock;
use crate::connect_spec::ConnectSpec;
use crate::frame::{FrameKind, Protocol, encode_client_frame};

/// Clients per source address. With more, ports could run out, or a server's limits per address apply.
const PER_ADDRESS: usize = 16;

/// The receive buffer of a client that stops reading, in bytes. The kernel may round it up.
const STALLED_RECEIVE_BUFFER: usize = 4_096;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    spec: ConnectSpec,
    state: State,
    /// How many steps of the spec are done.
    steps_done: usize,
    /// The received part of an incomplete frame.
    partial: Vec<u8>,
    /// Bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
}

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The handshake has not been answered.
    Handshake,
    /// It is open; the server has not confirmed the subscription.
    Subscribing,
    /// It is subscribed.
    Ready,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection {
    /// Starts to connect. `count` is the number of the client, from which its source address follows.
    pub fn open(spec: ConnectSpec, count: usize, stalled: bool) -> io::Result<Self> {
        let stream = if spec.is_redis() {
            Stream::Unix(UnixStream::connect(&spec.address)?)
        } else {
            Stream::Tcp(connect(&spec.address, count, stalled)?)
        };
        let unsent = if spec.is_redis() { Vec::new() } else { spec.request().into_bytes() };
        let state = if spec.is_redis() { State::Subscribing } else { State::Handshake };
        let mut connection = Self { stream, spec, state, steps_done: 0, partial: Vec::new(), unsent };
        if state == State::Subscribing {
            connection.send_due(&[]);
        }
        Ok(connection)
    }

    /// Its state.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Registers the socket with the poll.
    pub fn register(&mut self, registry: &Registry, token: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.stream.source().register(registry, Token(token), interest)
    }

    /// Deregisters the socket from the poll. The socket stays open.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.source().deregister(registry)
    }

    /// Writes the unsent bytes, as far as the socket accepts them.
    pub fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let written = match &mut self.stream {
                Stream::Tcp(stream) => stream.write(&self.unsent),
                Stream::Unix(stream) => stream.write(&self.unsent),
            };
            match written {
                Ok(count) => drop(self.unsent.drain(..count)),
                // A socket that is still connecting returns one of these.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all available bytes and passes each payload that may contain messages to `on_payload`, with the
    /// time of arrival and the user.
    ///
    /// # Errors
    ///
    /// If the connection has ended. The error contains the server's reason, if it gave one.
    pub fn read(&mut self, buffer: &mut [u8], mut on_payload: impl FnMut(&[u8], u64, u32)) -> io::Result<()> {
        loop {
            let got = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(buffer),
                Stream::Unix(stream) => stream.read(buffer),
            };
            let count = match got {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the server")),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return self.write();
                }
                Err(error) => return Err(error),
            };
            let now = clock::now();
            // Most reads end at the end of a frame; then nothing is copied.
            if self.partial.is_empty() {
                let used = self.process(&buffer[..count], now, &mut on_payload)?;
                self.partial.extend_from_slice(&buffer[used..count]);
            } else {
                let mut bytes = std::mem::take(&mut self.partial);
                bytes.extend_from_slice(&buffer[..count]);
                let used = self.process(&bytes, now, &mut on_payload)?;
                bytes.drain(..used);
                if !bytes.is_empty() {
                    self.partial = bytes;
                }
            }
        }
    }

    /// Processes the complete frames in `bytes` and returns how many bytes they take.
    fn process(
        &mut self,
        bytes: &[u8],
        now: u64,
        on_payload: &mut impl FnMut(&[u8], u64, u32),
    ) -> io::Result<usize> {
        let mut at = 0;
        if self.state == State::Handshake {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            if head.split(' ').nth(1) != Some("101") {
                let line = head.lines().next().unwrap_or_default().to_owned();
                return Err(io::Error::other(format!("refused: {line}")));
            }
            at = end + 4;
            self.state = State::Subscribing;
            self.send_due(&[]);
        }
        let protocol = if self.spec.is_redis() { Protocol::Redis } else { Protocol::WebSocket };
        while let Some(frame) = protocol.decode(&bytes[at..]) {
            match frame.kind {
                FrameKind::Data => {
                    if self.state != State::Ready {
                        self.send_due(frame.payload);
                    }
                    if let Some((_, answer)) =
                        self.spec.heartbeat.as_ref().filter(|(call, _)| call.as_bytes() == frame.payload)
                    {
                        self.unsent.extend(encode_client_frame(1, answer.as_bytes()));
                    } else {
                        on_payload(frame.payload, now, self.spec.user);
                    }
                }
                FrameKind::Ping => self.unsent.extend(encode_client_frame(10, frame.payload)),
                FrameKind::Close => {
                    let reason = String::from_utf8_lossy(frame.payload.get(2..).unwrap_or_default());
                    let code = frame.payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code));
                    return Err(io::Error::other(format!("closed with {code} {reason}")));
                }
                FrameKind::Other => {}
            }
            at += frame.bytes;
        }
        self.write()?;
        Ok(at)
    }

    /// Sends the steps that are due after the server's message `heard`, and becomes ready if they are done.
    fn send_due(&mut self, heard: &[u8]) {
        let contains = |text: &str| text.is_empty() || memchr::memmem::find(heard, text.as_bytes()).is_some();
        while let Some(step) = self.spec.steps.get(self.steps_done).filter(|step| contains(&step.wait_for)) {
            if self.spec.is_redis() {
                self.unsent.extend(step.send.as_bytes());
            } else {
                self.unsent.extend(encode_client_frame(1, step.send.as_bytes()));
            }
            self.steps_done += 1;
        }
        if self.steps_done == self.spec.steps.len() && contains(&self.spec.ready) {
            self.state = State::Ready;
            // Thousands of connections are held; free what only the start needed.
            self.spec.target = String::new();
            self.spec.steps = Vec::new();
            self.steps_done = 0;
        }
    }
}

impl Stream {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }
}

fn connect(to: &str, count: usize, stalled: bool) -> io::Result<TcpStream> {
    let to: SocketAddr = to.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if stalled {
        socket.set_recv_buffer_size(STALLED_RECEIVE_BUFFER)?;
    }
    // All of 127.0.0.0/8 is this machine (RFC 1122 section 3.2.1.3 g).
    let host = count / PER_ADDRESS;
    let octet = |value: usize| u8::try_from(value).unwrap_or(1);
    let from = Ipv4Addr::new(127, 1, octet(host / 250 % 250), octet(1 + host % 250));
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(IN_PROGRESS) && error.kind() != ErrorKind::WouldBlock => {
            return Err(error);
        }
        _ => {}
    }
    Ok(TcpStream::from_std(StdTcpStream::from(socket)))
}

/// `EINPROGRESS` of Linux: the non-blocking socket is still connecting.
const IN_PROGRESS: i32 = 115;
