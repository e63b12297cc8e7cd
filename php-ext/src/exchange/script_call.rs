//! A script and, where its effect takes time, the wait for the answer. All of it is sent in one write.

use std::borrow::Cow;
use std::time::Instant;

use chatpush_wire::key::Prefix;
use chatpush_wire::lua::Script;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::{Refusal, Reply};
use chatpush_wire::reply_to;

use super::{Awaits, NO_ANSWER, UNKNOWN, replication};
use crate::link::breaker::{self, Awaited};
use crate::link::{Connection, Exchange, Known, LinkError, Needs, Place, Unanswered, command};

/// A call of a script.
pub(crate) struct ScriptCall<'a> {
    pub(crate) script: &'static Script,
    pub(crate) keys: Keys<'a>,
    /// The arguments behind the first one, which is the `reply_to`.
    pub(crate) arguments: Vec<Cow<'a, str>>,
    /// See [`Exchange::is_repeatable`].
    pub(crate) repeatable: bool,
    /// The partition of the mailbox.
    pub(crate) partition: Partition,
    pub(crate) prefix: &'a Prefix,
    /// The content that is to be stored.
    pub(crate) content: Option<&'a str>,
    /// The generation of the log entry that it appends; 0: of any.
    pub(crate) entries: u32,
    /// What the call waits for.
    pub(crate) awaits: Awaits,
    /// What is known when the script was executed, and that has not come.
    pub(crate) unanswered: &'static Unanswered,
    pub(crate) progress: Progress,
}

/// The keys of a script.
pub(crate) enum Keys<'a> {
    Fixed(Vec<String>),
    /// They depend on the name of the daemon that answered last on this connection.
    ForDaemon(&'a dyn Fn(&str) -> Vec<String>),
}

/// How far a call is.
#[derive(Default)]
pub(crate) struct Progress {
    /// The number of the call.
    call: u64,
    /// Whether a subscription precedes the script, because this connection does not have it yet.
    subscribes: bool,
    /// Whether the script's source precedes its call, because this connection has not loaded it yet.
    loads: bool,
    /// Whether the script was executed and accepted the call.
    accepted: bool,
}

/// What came of a script.
pub(crate) enum ScriptOutcome {
    /// The script accepted the call; with its detail. No daemon answers.
    Accepted(String),
    /// The answer of a daemon, or a refusal by the script.
    Replied(Reply),
}

impl Exchange for ScriptCall<'_> {
    type Outcome = ScriptOutcome;

    fn place(&self) -> Place {
        Place::Keys(self.partition)
    }

    fn commands(&mut self, connection: &mut Connection, commands: &mut Vec<u8>) {
        self.progress = Progress::default();
        let keys = match &self.keys {
            Keys::Fixed(keys) => keys,
            Keys::ForDaemon(keys) => &keys(connection.daemon()),
        };
        let lengths =
            keys.iter().map(String::len).chain(self.arguments.iter().map(|argument| argument.len()));
        commands.reserve(lengths.map(|length| length + 16).sum::<usize>() + 256);
        let mut reply_to = String::new();
        if self.awaits == Awaits::Daemon {
            self.progress.call = connection.begin_call();
            reply_to = reply_to::encode(connection.caller(), self.progress.call);
            let channel = self.prefix.reply_channel(self.partition, connection.caller());
            self.progress.subscribes = connection.subscribe(commands, channel);
        }
        self.progress.loads = connection.load(commands, self.script);
        let count = keys.len().to_string();
        let mut parts: Vec<&[u8]> = vec![b"EVALSHA", self.script.sha1().as_bytes(), count.as_bytes()];
        parts.extend(keys.iter().map(String::as_bytes));
        parts.push(reply_to.as_bytes());
        parts.extend(self.arguments.iter().map(|argument| argument.as_bytes()));
        command(commands, &parts);
        if let Awaits::Replica(until) = self.awaits {
            replication::ask(self.prefix, self.partition, until, commands);
            connection.set_blocked(true);
        }
    }

    fn answers(
        &mut self,
        connection: &mut Connection,
        deadline: Instant,
    ) -> Result<ScriptOutcome, LinkError> {
        // If the account may not subscribe, the script was executed all the same, since it was sent with it:
        // its answer comes first.
        let subscribed = match self.progress.subscribes.then(|| connection.receive_subscription(deadline)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(LinkError::Redis(error))) => Err(LinkError::Subscription(error)),
            Some(Err(other)) => return Err(other),
        };
        // If the account may not load scripts, another one may have loaded it.
        let loaded =
            if self.progress.loads { connection.receive(deadline)?.into_result().map(drop) } else { Ok(()) };
        // An error here means that nothing was done. Waiting for a daemon would last until the deadline.
        let status = match (connection.receive(deadline)?.into_array(), loaded) {
            (Err(LinkError::NoScript), Err(refused)) => return Err(refused),
            (status, _) => status?,
        };
        let mut status = status.into_iter();
        let (Some(word), Some(detail)) = (status.next(), status.next()) else {
            return Err(LinkError::TooShort);
        };
        let detail = detail.into_bytes()?;
        self.progress.accepted = word.into_bytes()? == b"ok";
        if !self.progress.accepted {
            return parse_reply(&detail).map(ScriptOutcome::Replied);
        }
        subscribed?;
        match self.awaits {
            Awaits::Daemon => return self.wait(connection, deadline).map(ScriptOutcome::Replied),
            Awaits::Replica(_) => replication::receive(connection, deadline)?,
            Awaits::Nothing => {}
        }
        Ok(ScriptOutcome::Accepted(String::from_utf8_lossy(&detail).into_owned()))
    }

    fn needs(&self) -> Option<Needs<'_>> {
        let storage = self.awaits == Awaits::Daemon || self.content.is_some();
        Some(Needs { prefix: self.prefix, content: self.content, storage, entries: self.entries })
    }

    fn is_refusal(outcome: &ScriptOutcome) -> bool {
        matches!(outcome, ScriptOutcome::Replied(Reply::Refused(Refusal::NoDaemon | Refusal::Backlog)))
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn unanswered(&self) -> &'static Unanswered {
        match self.unanswered.known {
            _ if self.progress.accepted => self.unanswered,
            // Only a query stays without effect when its script was accepted.
            Known::NotQueued => NO_ANSWER,
            Known::Queued | Known::Unknown => UNKNOWN,
        }
    }
}

impl ScriptCall<'_> {
    /// Waits for the answer to this call. Answers to earlier calls, which timed out, are dropped.
    fn wait(&self, connection: &mut Connection, deadline: Instant) -> Result<Reply, LinkError> {
        let wait = breaker::begin(Awaited::Any, connection, self.prefix, deadline);
        loop {
            let message = match connection.receive_message(wait.deadline()) {
                Err(LinkError::Timeout) => return Err(LinkError::Unanswered(wait.missed(false))),
                other => other?,
            };
            let message = String::from_utf8(message).map_err(|_| LinkError::OtherVersion(None))?;
            if let Some((daemon, json)) = reply_to::answer_to(self.progress.call, &message) {
                wait.answered();
                let reply = parse_reply(json.as_bytes())?;
                // A daemon that refused is not asked first the next time.
                let refused = matches!(reply, Reply::Refused(_));
                connection.answered_by(if refused { "" } else { daemon });
                return Ok(reply);
            }
        }
    }
}

pub(super) fn parse_reply(json: &[u8]) -> Result<Reply, LinkError> {
    serde_json::from_slice(json).map_err(|error| LinkError::OtherVersion(Some(error)))
}
