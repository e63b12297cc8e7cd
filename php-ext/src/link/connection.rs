//! One connection: opening it, logging in, sending and receiving under a deadline.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant, SystemTime};

use super::busy_poll::BusyPoll;
use super::error::LinkError;
use super::resp::{self, Answer, Parsed, command};
use super::stream::Stream;
use crate::address::Address;

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Longest answer: a page of rows in JSON, each byte possibly escaped to six.
const LONGEST: usize = 64 * 1024 * 1024;

/// Most channels. One installation has one a partition; a process that serves more than four gets a new connection
/// once in a while.
const CHANNELS: usize = 64;

/// What `CLIENT LIST` calls our connections.
const NAME: &[u8] = b"chatpush-php";

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    address: Address,
    /// The process that opened it. A forked child must not speak on it.
    process: u32,
    /// Received and not yet parsed.
    buffer: Vec<u8>,
    /// Where one read goes. Kept, because filling so much with zeros costs more than all else in a call.
    chunk: Box<[u8]>,
    /// Digests of the scripts that were loaded over this connection.
    loaded: Vec<&'static str>,
    /// What it is called where it waits for answers. No other connection is called so.
    caller: String,
    /// How many calls have waited.
    calls: u64,
    /// The channels on which it hears answers.
    channels: Vec<String>,
    /// The daemon that answered last.
    daemon: String,
    /// How long an answer is watched for.
    busy_poll: Duration,
    /// Whether that pays for Redis's own answers.
    redis_poll: BusyPoll,
    /// Whether it pays for a daemon's.
    daemon_poll: BusyPoll,
}

/// Who is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// Redis itself.
    Redis,
    /// A daemon.
    Daemon,
}

impl Connection {
    /// Connects, logs in and chooses the database.
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
        // With version 3 of the protocol, answers and what a subscription brings share one connection.
        command(&mut commands, &[b"HELLO", b"3"]);
        expected += 1;
        command(&mut commands, &[b"CLIENT", b"SETNAME", NAME]);
        connection.send(&commands, deadline)?;
        for _ in 0..expected {
            connection.receive(deadline)?.into_result()?;
        }
        // An account that may not name its connections works all the same.
        connection.receive(deadline)?;
        Ok(connection)
    }

    /// Where it goes.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Whether this process opened it.
    pub(crate) fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether it can be used: the other side has not closed it and has said nothing unasked, and it does not listen
    /// to more than it can remember.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.channels.len() <= CHANNELS && self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Adds a script's source to the commands, once a connection: Redis forgets scripts when it restarts,
    /// which ends the connection too.
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

    /// A number for a call that waits for an answer.
    pub(crate) fn begin_call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// What it is called where it waits for answers.
    pub(crate) fn caller(&self) -> &str {
        &self.caller
    }

    /// Adds a subscription to the commands, once a channel.
    pub(crate) fn listen(&mut self, commands: &mut Vec<u8>, channel: String) -> bool {
        if self.channels.contains(&channel) {
            return false;
        }
        command(commands, &[b"SSUBSCRIBE", channel.as_bytes()]);
        self.channels.push(channel);
        true
    }

    /// The daemon that answered last, or nothing.
    pub(crate) fn daemon(&self) -> &str {
        &self.daemon
    }

    /// Notes who answered.
    pub(crate) fn answered_by(&mut self, daemon: &str) {
        if self.daemon != daemon {
            daemon.clone_into(&mut self.daemon);
        }
    }

    /// Sends everything or fails.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.stream.write_all(bytes, deadline)
    }

    /// How long answers are watched for from now on.
    pub(crate) const fn set_busy_poll(&mut self, bound: Duration) {
        self.busy_poll = bound;
    }

    /// The next answer.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Answer, LinkError> {
        self.receive_from(Peer::Redis, deadline)
    }

    /// The next answer, which comes from there.
    pub(crate) fn receive_from(&mut self, peer: Peer, deadline: Instant) -> Result<Answer, LinkError> {
        loop {
            match resp::parse(&self.buffer) {
                Parsed::Whole(answer, length) => {
                    self.buffer.drain(..length);
                    // A page of rows is megabytes, and this is kept for as long as the process lives.
                    self.buffer.shrink_to(CHUNK);
                    return Ok(answer);
                }
                Parsed::Partial if self.buffer.len() <= LONGEST => {}
                Parsed::Partial => return Err(LinkError::Broken("the answer is too long".to_owned())),
                Parsed::Malformed => return Err(LinkError::Broken("the answer is not RESP".to_owned())),
            }
            let poll = match peer {
                Peer::Redis => &mut self.redis_poll,
                Peer::Daemon => &mut self.daemon_poll,
            };
            poll.watch(self.busy_poll, || self.stream.has_bytes());
            let read = self.stream.read(&mut self.chunk, deadline)?;
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }
}

/// A name of 128 bits. The keys of the hash are random, and a forked child, which has its parent's, differs in the rest.
fn new_caller() -> String {
    let now = SystemTime::now();
    let half = |which: u8| RandomState::new().hash_one((which, std::process::id(), now));
    format!("{:016x}{:016x}", half(0), half(1))
}
