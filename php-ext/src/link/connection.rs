//! One connection: opening it, logging in, sending and receiving under a deadline.

use std::time::Instant;

use super::error::LinkError;
use super::resp::{self, Answer, Parsed, command};
use super::stream::Stream;
use crate::address::Address;

/// How much is read at a time.
const CHUNK: usize = 16 * 1024;

/// Longest answer: a page of rows in JSON, each byte possibly escaped to six.
const LONGEST: usize = 64 * 1024 * 1024;

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
}

impl Connection {
    /// Connects, logs in and chooses the database.
    pub(crate) fn open(address: &Address, deadline: Instant) -> Result<Self, LinkError> {
        let stream = Stream::connect(&address.place, deadline)?;
        let mut connection = Self {
            stream,
            address: address.clone(),
            process: std::process::id(),
            buffer: Vec::new(),
            chunk: vec![0; CHUNK].into(),
            loaded: Vec::new(),
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

    /// Whether it can be used: the other side has not closed it and has said nothing unasked.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Adds a script's source to the commands, once a connection: Redis forgets scripts when it restarts,
    /// which ends the connection too.
    pub(crate) fn load(
        &mut self,
        commands: &mut Vec<u8>,
        script: &'static chatpush_wire::script::Script,
    ) -> bool {
        let sha1 = script.sha1();
        if self.loaded.contains(&sha1) {
            return false;
        }
        self.loaded.push(sha1);
        command(commands, &[b"SCRIPT", b"LOAD", script.source().as_bytes()]);
        true
    }

    /// Sends everything or fails.
    pub(crate) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError> {
        self.stream.write_all(bytes, deadline)
    }

    /// The next answer.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Answer, LinkError> {
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
            let read = self.stream.read(&mut self.chunk, deadline)?;
            self.buffer.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        }
    }
}
