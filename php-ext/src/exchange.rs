//! Conversations with Redis: one command, or a script and the wait for its answer.

use std::time::Instant;

use chatpush_wire::key::Prefix;
use chatpush_wire::lua::Script;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to;

use crate::link::{Answer, Connection, Exchange, LinkError, Peer, command};

/// One command with one answer.
pub(crate) struct Command<'a, T> {
    pub(crate) parts: &'a [&'a [u8]],
    pub(crate) repeatable: bool,
    pub(crate) read: fn(Answer) -> Result<T, LinkError>,
}

impl<T> Exchange for Command<'_, T> {
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

/// A script and, where its effect takes time, the wait for the answer, in one write.
pub(crate) struct ScriptCall<'a> {
    pub(crate) script: &'static Script,
    pub(crate) keys: Keys<'a>,
    /// What the script is given behind the `reply_to` of who waits.
    pub(crate) arguments: Vec<String>,
    /// Whether doing it twice does no harm and gives the same answer.
    pub(crate) repeatable: bool,
    /// Whose mailbox it is about.
    pub(crate) partition: Partition,
    pub(crate) prefix: &'a Prefix,
    /// Whether there is an answer to wait for.
    pub(crate) waits: bool,
    /// What is known when the script was carried out and no answer came.
    pub(crate) unanswered: &'static str,
    /// How far it is.
    pub(crate) progress: Progress,
}

/// The keys of a script, of which one may depend on the connection.
pub(crate) enum Keys<'a> {
    /// They are known.
    Known(Vec<String>),
    /// They depend on the daemon that answered last.
    By(&'a dyn Fn(&str) -> Vec<String>),
}

/// How far the conversation about a script is.
#[derive(Default)]
pub(crate) struct Progress {
    /// The number of the call.
    call: u64,
    /// Whether a subscription goes before the script, since this connection does not hear the answer yet.
    listens: bool,
    /// Whether the script goes before its call, since this connection has not loaded it yet.
    loads: bool,
    /// Whether the script was carried out.
    accepted: bool,
}

/// What came of a script.
pub(crate) enum ScriptOutcome {
    /// It was carried out, and that is all there is to know; with its detail.
    Accepted(String),
    /// The answer.
    Replied(Reply),
}

impl Exchange for ScriptCall<'_> {
    type Outcome = ScriptOutcome;

    fn commands(&mut self, connection: &mut Connection, _deadline: Instant) -> Vec<u8> {
        self.progress = Progress::default();
        let keys = match &self.keys {
            Keys::Known(keys) => keys,
            Keys::By(keys) => &keys(connection.daemon()),
        };
        let bytes: usize = keys.iter().chain(&self.arguments).map(|part| part.len() + 16).sum();
        let mut commands = Vec::with_capacity(bytes + 256);
        let mut reply_to = String::new();
        if self.waits {
            self.progress.call = connection.begin_call();
            reply_to = reply_to::encode(connection.caller(), self.progress.call);
            let channel = self.prefix.reply_channel(self.partition, connection.caller());
            self.progress.listens = connection.listen(&mut commands, channel);
        }
        self.progress.loads = connection.load(&mut commands, self.script);
        let count = keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", self.script.sha1().as_bytes(), count.as_bytes()];
        parts.extend(keys.iter().map(String::as_bytes));
        parts.push(reply_to.as_bytes());
        parts.extend(self.arguments.iter().map(String::as_bytes));
        command(&mut commands, &parts);
        commands
    }

    fn answers(
        &mut self,
        connection: &mut Connection,
        deadline: Instant,
    ) -> Result<ScriptOutcome, LinkError> {
        // The subscription is confirmed by the first message. An account that may not subscribe learns that after what
        // became of the script, which was sent with it.
        let heard = if self.progress.listens {
            connection.receive(deadline)?.into_result().map(drop)
        } else {
            Ok(())
        };
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
        if !self.progress.accepted {
            return parse_reply(&detail);
        }
        if let Err(LinkError::Answer(text)) = heard {
            return Err(LinkError::Answer(format!("{text}; {}", self.unanswered)));
        }
        if !self.waits {
            return Ok(ScriptOutcome::Accepted(String::from_utf8_lossy(&detail).into_owned()));
        }
        loop {
            let said = connection.receive_from(Peer::Daemon, deadline)?.into_message()?;
            let said = String::from_utf8(said).map_err(|_| not_ours())?;
            if let Some((daemon, json)) = reply_to::answer_to(self.progress.call, &said) {
                let outcome = parse_reply(json.as_bytes())?;
                // A daemon that could not answer is not asked again before another.
                let failed = matches!(outcome, ScriptOutcome::Replied(Reply::Refused(_)));
                connection.answered_by(if failed { "" } else { daemon });
                return Ok(outcome);
            }
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

fn parse_reply(json: &[u8]) -> Result<ScriptOutcome, LinkError> {
    serde_json::from_slice(json).map(ScriptOutcome::Replied).map_err(|_| not_ours())
}

fn not_ours() -> LinkError {
    LinkError::Broken("the answer is not of this version".to_owned())
}
