//! One connection: opening it, logging in, sending and receiving under a deadline.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant, SystemTime};

use chatpush_wire::partition::Partition;

use super::busy_poll::BusyPoll;
use super::error::LinkError;
use super::resp::{self, Answer, Parsed, command};
use super::stream::Stream;
use chatpush_wire::address::Address;

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Longest answer: a page of rows in JSON, where a byte may be escaped to six.
const LONGEST: usize = 64 * 1024 * 1024;

/// Most channels per connection. An installation needs one for each of its partitions. A process that serves
/// more than four installations gets a new connection now and then.
const CHANNELS: usize = 4 * Partition::COUNT as usize;

/// What `CLIENT LIST` calls our connections.
const NAME: &[u8] = b"chatpush-php";

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    address: Address,
    /// The process that opened it. A forked child must not use it.
    process: u32,
    /// Bytes that were received and are not parsed yet.
    buffer: Vec<u8>,
    /// The buffer of one read. It is kept, because filling it with zeros costs more than the rest of a call.
    chunk: Box<[u8]>,
    /// Digests of the scripts that were loaded over this connection.
    loaded: Vec<&'static str>,
    /// The name under which it waits for answers. It is unique.
    caller: String,
    /// The number of the last call that waited.
    calls: u64,
    /// The channels it is subscribed to, for answers.
    channels: Vec<String>,
    /// The daemon that answered last, or an empty string.
    daemon: String,
    /// How long to poll for an answer.
    busy_poll: Duration,
    /// Whether that pays for Redis's own answers.
    redis_poll: BusyPoll,
    /// Whether that pays for a daemon's answers.
    daemon_poll: BusyPoll,
}

/// Whose answer is awaited.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// Redis itself.
    Redis,
    /// A daemon.
    Daemon,
}

impl Connection {
    /// Connects, authenticates and selects the database.
    pub(crate) fn open(address: &Address, deadline: Instant) -> Result<Self, LinkError> {
        let stream = Stream::connect(&address.endpoint, deadline)?;
        let mut connection = Self {
            stream,
            address: address.clone(),
            process: std::process::id(),
            buffer: Vec::new(),
            chunk: vec![0; CHUNK].into(),
            loaded: Vec::new(),
            caller: new_caller(),
            calls: 0,
            channels: Vec::new(),
            daemon: String::new(),
            busy_poll: Duration::ZERO,
            redis_poll: BusyPoll::default(),
            daemon_poll: BusyPoll::default(),
        };
        let mut commands = Vec::new();
        let mut expected = 0;
        if let Some(password) = &address.password {
            match &address.user {
                Some(user) => command(&mut commands, &[b"AUTH", user.as_bytes(), password.as_bytes()]),
                None => command(&mut commands, &[b"AUTH", password.as_bytes()]),
            }
            expected += 1;
        }
        if address.database != 0 {
            command(&mut commands, &[b"SELECT", address.database.to_string().as_bytes()]);
            expected += 1;
        }
        // In version 3 of the protocol, answers and published messages share one connection.
        command(&mut commands, &[b"HELLO", b"3"]);
        expected += 1;
        command(&mut commands, &[b"CLIENT", b"SETNAME", NAME]);
        connection.send(&commands, deadline)?;
        for _ in 0..expected {
            connection.receive(deadline)?.into_result()?;
        }
        // An account that may not name its connections works nevertheless, so an error is ignored.
        connection.receive(deadline)?;
        Ok(connection)
    }

    /// The address it is connected to.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether this process opened it.
    pub(crate) fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether it can be used: Redis has neither closed it nor sent anything unasked, and it does not have
    /// too many subscriptions.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.channels.len() <= CHANNELS && self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Adds the loading of a script to the commands, once per connection: Redis forgets scripts when it
    /// restarts, which ends the connection too. Returns whether it was added.
    pub(crate) fn load(
        &mut self,
        commands: &mut Vec<u8>,
        script: &'static chatpush_wire::lua::Script,
    ) -> bool {
        let sha1 = script.sha1();
        if self.loaded.contains(&sha1) {
            return false;
        }
        self.loaded.push(sha1);
        command(commands, &[b"SCRIPT", b"LOAD", script.source().as_bytes()]);
        true
    }

    /// The number of a call that waits for an answer.
    pub(crate) fn begin_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// The name under which it waits for answers.
    pub(crate) fn caller(&self) -> &str {
        &self.caller
    }

    /// Adds a subscription to the commands, once per channel. Returns whether it was added.
    pub(crate) fn subscribe(&mut self, commands: &mut Vec<u8>, channel: String) -> bool {
        if self.channels.contains(&channel) {
            return false;
        }
        command(commands, &[b"SSUBSCRIBE", channel.as_bytes()]);
        self.channels.push(channel);
        true
    }

    /// The daemon that answered last, or an empty string.
    pub(crate) fn daemon(&self) -> &str {
        &self.daemon
    }

    /// Sets the daemon that answered last.
    pub(crate) fn answered_by(&mut self, daemon: &str) {
        if self.daemon != daemon {
            daemon.clone_into(&mut self.daemon);
        }
    }

    /// Sends everything or fails.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.stream.write_all(bytes, deadline)
    }

    /// Sets how long to poll for answers.
    pub(crate) const fn set_busy_poll(&mut self, bound: Duration) {
        self.busy_poll = bound;
    }

    /// The next answer of Redis.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Answer, LinkError> {
        self.receive_from(Peer::Redis, deadline)
    }

    /// The next answer, which that peer sends.
    pub(crate) fn receive_from(&mut self, peer: Peer, deadline: Instant) -> Result<Answer, LinkError> {
        loop {
            match resp::parse(&self.buffer) {
                Parsed::Whole(answer, length) => {
                    self.buffer.drain(..length);
                    // A page of rows has megabytes, and this buffer lives as long as the process.
                    self.buffer.shrink_to(CHUNK);
                    return Ok(answer);
                }
                Parsed::Partial if self.buffer.len() <= LONGEST => {}
                Parsed::Partial => return Err(LinkError::TooLong),
                Parsed::Malformed => return Err(LinkError::NotResp),
            }
            let poll = match peer {
                Peer::Redis => &mut self.redis_poll,
                Peer::Daemon => &mut self.daemon_poll,
            };
            poll.poll(self.busy_poll, || self.stream.has_bytes());
            let read = self.stream.read(&mut self.chunk, deadline)?;
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }
}

/// A name of 128 bits. The keys of the hash are random. A forked child has the keys of its parent, but
/// another process id and time.
fn new_caller() -> String {
    let now = SystemTime::now();
    let half = |which: u8| RandomState::new().hash_one((which, std::process::id(), now));
    format!("{:016x}{:016x}", half(0), half(1))
}
