//! One connection: opening it, logging in, sending and receiving under a deadline.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant, SystemTime};

use chatpush_resp::{Parsed, Value, command, parse};
use chatpush_wire::address::{Address, Endpoint, Location};
use chatpush_wire::installation::Installation;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::answer::Answer;
use super::busy_poll::BusyPoll;
use super::error::LinkError;
use super::redis_error::RedisError;
use super::sentinel;
use super::stream::Stream;

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Most channels per connection. An installation needs one for each of its partitions. A process that serves
/// more than four installations gets a new connection now and then.
const CHANNELS: usize = 4 * Partition::COUNT as usize;

/// Most reads of what came unasked, before the connection is replaced instead.
const UNASKED: usize = 64;

/// What `CLIENT LIST` calls our connections.
const NAME: &[u8] = b"chatpush-php";

/// The role of the server is asked for again after this long, together with a call. A master that became a
/// replica keeps its connections, takes what is published, and has no subscribers.
const ROLE: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    address: Address,
    /// The server.
    endpoint: Endpoint,
    /// When Sentinels named it as the master, if there are any.
    master_known: Instant,
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
    /// When the server was known to be a master.
    role_known: Instant,
    /// The installation that was read last, its prefix, and when that was.
    installation: Option<(Prefix, Installation, Instant)>,
    /// How long to poll for an answer.
    busy_poll: Duration,
    /// Whether that pays for Redis's own answers.
    redis_poll: BusyPoll,
    /// Whether that pays for a daemon's answers.
    daemon_poll: BusyPoll,
    /// Whether Redis still waits for a replica, so that it executes nothing else.
    blocked: bool,
}

/// Whose answer is awaited.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Redis,
    Daemon,
}

impl Connection {
    /// Connects to the master, authenticates and selects the database. Sent bytes that the host of Redis does not
    /// acknowledge within `unacknowledged` end the connection.
    pub(super) fn open(
        address: &Address,
        unacknowledged: Duration,
        deadline: Instant,
    ) -> Result<Self, LinkError> {
        match &address.location {
            Location::Server(endpoint) => Self::open_to(endpoint, address, unacknowledged, deadline),
            Location::Sentinel(sentinels) => sentinel::open(sentinels, address, unacknowledged, deadline),
            // Its masters are opened one by one, each when a name of its slots is needed.
            Location::Cluster(_) => Err(LinkError::NoSlots),
        }
    }

    /// As [`Connection::open`], to the server at `endpoint`.
    pub(super) fn open_to(
        endpoint: &Endpoint,
        address: &Address,
        unacknowledged: Duration,
        deadline: Instant,
    ) -> Result<Self, LinkError> {
        let (connection, role) = Self::open_any(endpoint, address, unacknowledged, deadline)?;
        role.map(|()| connection)
    }

    /// As [`Connection::open_to`], also to a replica. Whether it is none comes with the connection.
    pub(super) fn open_any(
        endpoint: &Endpoint,
        address: &Address,
        unacknowledged: Duration,
        deadline: Instant,
    ) -> Result<(Self, Result<(), LinkError>), LinkError> {
        let stream = Stream::connect(endpoint, unacknowledged, deadline)?;
        let mut connection = Self::on(stream, endpoint.clone(), address);
        let mut commands = Vec::new();
        connection.log_in(&mut commands);
        // In version 3 of the protocol, answers and published messages share one connection.
        command(&mut commands, &[b"HELLO", b"3"]);
        if address.database != 0 {
            command(&mut commands, &[b"SELECT", address.database.to_string().as_bytes()]);
        }
        command(&mut commands, &[b"CLIENT", b"SETNAME", NAME]);
        if let Err(cause) = connection.send(&commands, deadline) {
            // A server that takes no more connections says so, and closes before it has read anything.
            if let Ok(answer) = connection.receive(deadline) {
                answer.into_result()?;
            }
            return Err(cause);
        }
        if address.password.is_some() {
            connection.receive(deadline)?.into_result()?;
        }
        let role = match connection.receive_role(deadline) {
            Err(LinkError::Redis(error)) if error.is_role() => Err(error.into()),
            role => Ok(role?),
        };
        if address.database != 0 && role.is_ok() {
            connection.receive(deadline)?.into_result()?;
        }
        // An account that may not name its connections works nevertheless, so an error is ignored.
        connection.receive(deadline)?;
        Ok((connection, role))
    }

    /// A connection on a stream on which nothing was sent.
    pub(super) fn on(stream: Stream, endpoint: Endpoint, address: &Address) -> Self {
        Self {
            stream,
            address: address.clone(),
            endpoint,
            master_known: Instant::now(),
            process: std::process::id(),
            buffer: Vec::new(),
            chunk: vec![0; CHUNK].into(),
            loaded: Vec::new(),
            caller: new_caller(),
            calls: 0,
            channels: Vec::new(),
            daemon: String::new(),
            role_known: Instant::now(),
            installation: None,
            busy_poll: Duration::ZERO,
            redis_poll: BusyPoll::default(),
            daemon_poll: BusyPoll::default(),
            blocked: false,
        }
    }

    /// Adds the authentication to the commands, if there is a password.
    pub(super) fn log_in(&self, commands: &mut Vec<u8>) {
        if let Some(password) = &self.address.password {
            match &self.address.user {
                Some(user) => command(commands, &[b"AUTH", user.as_bytes(), password.as_bytes()]),
                None => command(commands, &[b"AUTH", password.as_bytes()]),
            }
        }
    }

    /// The address it is connected to.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// The server.
    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How long ago Sentinels named the server as the master.
    pub(super) fn master_age(&self) -> Duration {
        self.master_known.elapsed()
    }

    /// Sentinels were asked for the master just now.
    pub(super) fn set_master_known(&mut self) {
        self.master_known = Instant::now();
    }

    /// Whether this process opened it.
    pub(super) fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether it can be used: Redis has neither closed it nor answered unasked, is not blocked, and it does not have too
    /// many subscriptions. Late answers of daemons are dropped.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.blocked && self.channels.len() <= CHANNELS && self.drop_unasked().is_ok()
    }

    /// Whether Redis waits for a replica. A connection that is given up while it does is not used again.
    pub(crate) const fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
    }

    fn drop_unasked(&mut self) -> Result<(), LinkError> {
        for _ in 0..UNASKED {
            while let Some(value) = self.parse()? {
                match value {
                    Value::Push(parts) if !ends_subscription(&parts) => {}
                    other => return Err(LinkError::UnexpectedType(other.kind())),
                }
            }
            let Some(read) = self.stream.try_read(&mut self.chunk)? else { return Ok(()) };
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
        Err(LinkError::TooLong)
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

    /// Subscribes again to each channel that is needed: a node of a cluster has refused one.
    pub(super) fn forget_channels(&mut self) {
        self.channels.clear();
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

    /// Adds the question for the server's role to the commands, if it was not asked for a while. Returns
    /// whether it was added. HELLO is allowed to every account (`acl.c`, `CMD_NO_AUTH`).
    pub(super) fn ask_role(&self, commands: &mut Vec<u8>) -> bool {
        let is_due = self.role_known.elapsed() >= ROLE;
        if is_due {
            command(commands, &[b"HELLO", b"3"]);
        }
        is_due
    }

    /// Receives the answer to HELLO, which says whether the server is a master.
    pub(super) fn receive_role(&mut self, deadline: Instant) -> Result<(), LinkError> {
        let Value::Array(fields) = self.receive(deadline)?.into_result()?.0 else {
            return Err(LinkError::UnexpectedType("something else than its properties"));
        };
        let is = |name: &str, value: &str| {
            fields.chunks(2).any(|field| match field {
                [this, that] => this.is_text(name) && that.is_text(value),
                _ => false,
            })
        };
        if is("mode", "sentinel") {
            return Err(RedisError::sentinel().into());
        }
        if is("role", "replica") || is("role", "slave") {
            return Err(RedisError::replica().into());
        }
        self.role_known = Instant::now();
        Ok(())
    }

    /// The installation with this prefix, if it was read.
    pub(super) fn installation(&self, prefix: &Prefix) -> Option<&Installation> {
        self.installation.as_ref().filter(|(known, ..)| known == prefix).map(|(_, record, _)| record)
    }

    /// Remembers an installation.
    pub(super) fn set_installation(&mut self, prefix: Prefix, record: Installation) {
        self.installation = Some((prefix, record, Instant::now()));
    }

    /// How long ago the installation was read, if it was.
    pub(super) fn installation_age(&self) -> Option<Duration> {
        self.installation.as_ref().map(|(.., read)| read.elapsed())
    }

    /// Exchanges the installation for one that was read over another connection.
    pub(super) const fn swap_installation(&mut self, other: &mut Option<(Prefix, Installation, Instant)>) {
        std::mem::swap(&mut self.installation, other);
    }

    /// Forgets the installation, so that the next call reads it.
    pub(super) fn forget_installation(&mut self) {
        self.installation = None;
    }

    /// Sends everything or fails.
    pub(super) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.stream.write_all(bytes, deadline)
    }

    /// Sets how long to poll for answers.
    pub(super) const fn set_busy_poll(&mut self, bound: Duration) {
        self.busy_poll = bound;
    }

    /// The next answer of Redis. Messages before it belong to no command of ours and are dropped: a daemon
    /// answers only after Redis has.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Answer, LinkError> {
        loop {
            match self.receive_value(Peer::Redis, deadline)? {
                Value::Push(parts) => self.note_end(&parts),
                value => return Ok(Answer(value)),
            }
        }
    }

    /// When Redis has ended a subscription, because a slot has moved, the next calls subscribe again.
    fn note_end(&mut self, parts: &[Value]) {
        if ends_subscription(parts) {
            self.channels.clear();
        }
    }

    /// As [`Connection::receive`], among messages that may be answers of daemons to earlier commands of the same
    /// exchange: these are kept.
    pub(crate) fn receive_among(
        &mut self,
        messages: &mut Vec<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Answer, LinkError> {
        loop {
            match self.receive_value(Peer::Redis, deadline)? {
                Value::Push(parts) => messages.extend(published(parts)?),
                value => return Ok(Answer(value)),
            }
        }
    }

    /// The confirmation of a subscription, or the error in its place.
    pub(crate) fn receive_subscription(&mut self, deadline: Instant) -> Result<(), LinkError> {
        loop {
            match self.receive_value(Peer::Redis, deadline)? {
                Value::Push(parts) if is_kind(&parts, "ssubscribe") => return Ok(()),
                Value::Push(parts) => self.note_end(&parts),
                value => {
                    let answer = Answer(value).into_result()?;
                    return Err(LinkError::UnexpectedType(answer.0.kind()));
                }
            }
        }
    }

    /// The next message that is published on one of the channels.
    pub(crate) fn receive_message(&mut self, deadline: Instant) -> Result<Vec<u8>, LinkError> {
        loop {
            match self.receive_value(Peer::Daemon, deadline)? {
                Value::Push(parts) => {
                    if let Some(message) = published(parts)? {
                        return Ok(message);
                    }
                }
                value => return Err(LinkError::UnexpectedType(value.kind())),
            }
        }
    }

    fn receive_value(&mut self, peer: Peer, deadline: Instant) -> Result<Value, LinkError> {
        loop {
            if let Some(value) = self.parse()? {
                return Ok(value);
            }
            let poll = match peer {
                Peer::Redis => &mut self.redis_poll,
                Peer::Daemon => &mut self.daemon_poll,
            };
            let polled = poll.poll(self.busy_poll, || self.stream.try_read(&mut self.chunk))?;
            let read = if let Some(read) = polled {
                read
            } else {
                self.stream.wait(deadline)?;
                self.stream.try_read(&mut self.chunk)?.unwrap_or_default()
            };
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }

    /// The next value of the buffer, if it is complete.
    fn parse(&mut self) -> Result<Option<Value>, LinkError> {
        match parse(&self.buffer) {
            Parsed::Whole(value, length) => {
                self.buffer.drain(..length);
                // A page of rows has megabytes, and this buffer lives as long as the process.
                self.buffer.shrink_to(CHUNK);
                Ok(Some(value))
            }
            Parsed::Partial => Ok(None),
            Parsed::Malformed => Err(LinkError::NotResp),
            Parsed::TooLong => Err(LinkError::TooLong),
        }
    }
}

/// Whether a message is of that kind, which is its first part.
fn is_kind(parts: &[Value], kind: &str) -> bool {
    parts.first().is_some_and(|part| part.is_text(kind))
}

/// The message that was published, if it is one. The end of a subscription is the end of the connection.
fn published(mut parts: Vec<Value>) -> Result<Option<Vec<u8>>, LinkError> {
    if ends_subscription(&parts) {
        return Err(LinkError::Closed);
    }
    if !is_kind(&parts, "smessage") {
        return Ok(None);
    }
    match parts.pop() {
        Some(Value::Bytes(message)) => Ok(Some(message)),
        _ => Err(LinkError::TooShort),
    }
}

/// Whether Redis has ended a subscription by itself, so that answers would not come any more.
fn ends_subscription(parts: &[Value]) -> bool {
    is_kind(parts, "sunsubscribe")
}

/// A name of 128 bits. The keys of the hash are random. A forked child has the keys of its parent, but
/// another process id and time.
fn new_caller() -> String {
    let now = SystemTime::now();
    let half = |which: u8| RandomState::new().hash_one((which, std::process::id(), now));
    format!("{:016x}{:016x}", half(0), half(1))
}
