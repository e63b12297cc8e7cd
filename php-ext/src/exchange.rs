//! Conversations with Redis: one command, or a script and the wait for its reply.

use std::time::Instant;

use chatpush_wire::reply::Reply;
use chatpush_wire::script::Script;

use crate::link::{Answer, Connection, Exchange, LinkError, command};

/// How long before the call's own deadline Redis is asked to give up waiting, so that its answer still
/// arrives and the connection can be kept.
const MARGIN: f64 = 0.02;

/// One command with one answer.
pub(crate) struct Plain<'a, T> {
    pub(crate) parts: &'a [&'a [u8]],
    pub(crate) repeatable: bool,
    pub(crate) read: fn(Answer) -> Result<T, LinkError>,
}

impl<T> Exchange for Plain<'_, T> {
    type Outcome = T;

    fn commands(&mut self, _connection: &mut Connection, _deadline: Instant) -> Vec<u8> {
        let mut commands = Vec::with_capacity(self.parts.iter().map(|part| part.len() + 16).sum());
        command(&mut commands, self.parts);
        commands
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<T, LinkError> {
        (self.read)(connection.receive(deadline)?)
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn timed_out(&self) -> String {
        "Redis did not answer; the outcome is unknown".to_owned()
    }
}

/// A script and, where its effect takes time, the wait for the reply, in one write.
pub(crate) struct Scripted {
    pub(crate) script: &'static Script,
    pub(crate) keys: Vec<String>,
    pub(crate) arguments: Vec<String>,
    /// Whether doing it twice does no harm and gives the same answer.
    pub(crate) repeatable: bool,
    /// Whether there is a reply to wait for. It comes under the last of the keys.
    pub(crate) waits: bool,
    /// What is known when the script was carried out and no reply came.
    pub(crate) unanswered: &'static str,
    /// How far it is.
    pub(crate) progress: Progress,
}

/// How far the conversation about a script is.
#[derive(Default)]
pub(crate) struct Progress {
    /// Whether the script goes before its call, since this connection has not loaded it yet.
    loads: bool,
    /// Whether the script was carried out.
    accepted: bool,
}

/// What came of a script.
pub(crate) enum Done {
    /// It was carried out, and that is all there is to know; with its detail.
    Accepted(String),
    /// The reply.
    Replied(Reply),
}

impl Exchange for Scripted {
    type Outcome = Done;

    fn commands(&mut self, connection: &mut Connection, deadline: Instant) -> Vec<u8> {
        let bytes: usize = self.keys.iter().chain(&self.arguments).map(|part| part.len() + 16).sum();
        let mut commands = Vec::with_capacity(bytes + 128);
        self.progress = Progress { loads: connection.load(&mut commands, self.script), accepted: false };
        let count = self.keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", self.script.sha1().as_bytes(), count.as_bytes()];
        parts.extend(self.keys.iter().chain(&self.arguments).map(String::as_bytes));
        command(&mut commands, &parts);
        if let Some(reply) = self.keys.last().filter(|_| self.waits) {
            let left = deadline.saturating_duration_since(Instant::now()).as_secs_f64();
            // BLPOP takes 0 for "for ever".
            let wait = format!("{:.3}", (left - MARGIN).max(0.001));
            command(&mut commands, &[b"BLPOP", reply.as_bytes(), wait.as_bytes()]);
        }
        commands
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<Done, LinkError> {
        if self.progress.loads {
            connection.receive(deadline)?.into_result()?;
        }
        // An error here means that nothing was done, and the wait behind it would last its full time.
        let mut status = connection.receive(deadline)?.into_array()?.into_iter();
        let (Some(word), Some(detail)) = (status.next(), status.next()) else {
            return Err(LinkError::Broken("the script answered too little".to_owned()));
        };
        let detail = detail.into_bytes()?;
        self.progress.accepted = word.into_bytes()? == b"ok";
        if !self.waits {
            return if self.progress.accepted {
                Ok(Done::Accepted(String::from_utf8_lossy(&detail).into_owned()))
            } else {
                reply(&detail)
            };
        }
        match connection.receive(deadline)?.into_result()? {
            Answer::Array(mut key_and_value) => match key_and_value.pop() {
                Some(Answer::Bytes(json)) => reply(&json),
                _ => Err(LinkError::Broken("the reply is not a text".to_owned())),
            },
            _ => Err(LinkError::Timeout),
        }
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn timed_out(&self) -> String {
        let known = if self.progress.accepted {
            self.unanswered
        } else {
            "Redis did not answer; the outcome is unknown"
        };
        known.to_owned()
    }
}

fn reply(json: &[u8]) -> Result<Done, LinkError> {
    serde_json::from_slice(json)
        .map(Done::Replied)
        .map_err(|_| LinkError::Broken("the reply is not of this version".to_owned()))
}
