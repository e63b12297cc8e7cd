//! Calls of one script for users of many partitions, sent in one write, and the one wait for all answers. Calls
//! that are long together are sent in several writes.
//!
//! Each call takes effect on its own. What became of each stays known when the exchange as a whole fails.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use chatpush_wire::address::Endpoint;
use chatpush_wire::key::Prefix;
use chatpush_wire::lua::Script;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to;

use super::shares::{self, Placed};
use super::{Awaits, UNKNOWN, replication};
use crate::link::breaker::{self, Awaited, DaemonWait, Silence};
use crate::link::{Answer, Connection, Exchange, LinkError, Needs, Parts, Place, Unanswered, command};

/// A write ends with the call that reaches this many bytes. Each call repeats the content, so that all of them
/// together may be longer than the memory of a PHP process.
const BYTES_PER_WRITE: usize = 2 * 1024 * 1024;

/// Calls of one script.
pub(crate) struct ScriptCalls<'a> {
    pub(crate) script: &'static Script,
    pub(crate) prefix: &'a Prefix,
    pub(crate) parts: Vec<Part<'a>>,
    /// See [`Exchange::is_repeatable`].
    pub(crate) repeatable: bool,
    pub(crate) needs: Option<Needs<'a>>,
    /// Whether the script's answer says that no daemon was there.
    pub(crate) found_no_daemon: fn(&[Vec<u8>]) -> bool,
    /// What is waited for once the script has accepted calls, if anything is.
    pub(crate) waits: Option<Waits>,
    /// How many subscriptions precede the calls.
    pub(crate) subscribes: usize,
    /// Whether the script's source precedes the calls.
    pub(crate) loads: bool,
    /// How many of the calls are written, or need not be.
    pub(crate) written: usize,
}

/// How a wait is decided and described.
#[derive(Clone, Copy)]
pub(crate) struct Waits {
    /// For daemons or for a replica.
    pub(crate) awaits: Awaits,
    /// Whether there is something to wait for where the script answered like this.
    pub(crate) is_wanted: fn(&[Vec<u8>]) -> bool,
    /// What is known when the script was executed, and that has not come.
    pub(crate) unanswered: &'static Unanswered,
}

/// One call of the script, and what is known of it.
pub(crate) struct Part<'a> {
    partition: Partition,
    keys: Vec<String>,
    /// The arguments behind the first one, which is the `reply_to`.
    arguments: Vec<Cow<'a, str>>,
    /// The number of the call, if it waits.
    call: u64,
    /// Whether it was sent, perhaps, and not answered since.
    pending: bool,
    /// Whether that was so in an earlier try.
    lost: bool,
    /// What the script answered last.
    answer: Option<Vec<Vec<u8>>>,
    /// What it answered first, if it was asked again because no daemon had answered.
    first: Option<Vec<Vec<u8>>>,
    /// Whether that was the answer of a master that may have been replaced since.
    outdated: bool,
    /// What was waited for, once it has come.
    come: Option<Come>,
    /// Its place among the calls.
    place: usize,
}

/// What was waited for.
enum Come {
    /// What a daemon answered.
    Reply(Reply),
    /// A replica that has what the script has written.
    Replica,
}

impl Placed for Part<'_> {
    fn partition(&self) -> Partition {
        self.partition
    }

    fn place(&self) -> usize {
        self.place
    }

    fn set_place(&mut self, place: usize) {
        self.place = place;
    }
}

impl<'a> Part<'a> {
    pub(crate) const fn new(partition: Partition, keys: Vec<String>, arguments: Vec<Cow<'a, str>>) -> Self {
        let (answer, first, come) = (None, None, None);
        let (call, place, pending, lost, outdated) = (0, 0, false, false, false);
        Self { partition, keys, arguments, call, pending, lost, answer, first, outdated, come, place }
    }

    /// What the script answered last.
    pub(crate) fn answer(&self) -> Option<&[Vec<u8>]> {
        self.answer.as_deref()
    }

    /// What the script answered first, if it has answered several times.
    pub(crate) fn first_answer(&self) -> Option<&[Vec<u8>]> {
        self.first.as_deref()
    }

    /// Whether a master that has replaced the one that answered may not have it.
    pub(crate) const fn may_be_gone(&self) -> bool {
        self.outdated && self.come.is_none()
    }

    /// What a daemon answered.
    pub(crate) const fn reply(&self) -> Option<&Reply> {
        match &self.come {
            Some(Come::Reply(reply)) => Some(reply),
            Some(Come::Replica) | None => None,
        }
    }

    /// Whether a replica has what the script has written.
    pub(crate) const fn is_replicated(&self) -> bool {
        matches!(self.come, Some(Come::Replica))
    }

    /// Whether it may have been executed beside what is known of it.
    pub(crate) const fn may_be_executed(&self) -> bool {
        self.pending || self.lost
    }

    /// Appends it to the commands.
    fn write(&mut self, script: &Script, reply_to: &str, commands: &mut Vec<u8>) {
        self.lost |= self.pending;
        self.pending = true;
        let count = self.keys.len().to_string();
        let mut parts: Vec<&[u8]> = Vec::with_capacity(4 + self.keys.len() + self.arguments.len());
        parts.extend([&b"EVALSHA"[..], script.sha1().as_bytes(), count.as_bytes()]);
        parts.extend(self.keys.iter().map(String::as_bytes));
        parts.push(reply_to.as_bytes());
        parts.extend(self.arguments.iter().map(|argument| argument.as_bytes()));
        command(commands, &parts);
    }

    fn is_awaited(&self, waits: Option<Waits>) -> bool {
        match (waits, &self.answer) {
            (Some(waits), Some(answer)) => self.come.is_none() && (waits.is_wanted)(answer),
            _ => false,
        }
    }

    /// Whether it is to be executed, for the first time or again.
    fn is_left(&self, waits: Option<Waits>, repeatable: bool) -> bool {
        !self.is_done(waits) && (repeatable || !self.may_be_executed())
    }

    /// Whether nothing is left to do.
    fn is_done(&self, waits: Option<Waits>) -> bool {
        self.answer.is_some() && !self.is_awaited(waits)
    }
}

impl Exchange for ScriptCalls<'_> {
    type Outcome = ();

    fn place(&self) -> Place {
        self.parts.first().map_or(Place::Any, |part| Place::Keys(part.partition))
    }

    fn commands(&mut self, connection: &mut Connection, commands: &mut Vec<u8>) {
        let (waits, awaits) = (self.waits, self.awaits());
        self.subscribes = 0;
        for part in self.parts.iter_mut().filter(|part| !part.is_done(waits)) {
            if awaits == Awaits::Daemon {
                part.call = connection.begin_call();
                let channel = self.prefix.reply_channel(part.partition, connection.caller());
                self.subscribes += usize::from(connection.subscribe(commands, channel));
            }
        }
        self.loads = connection.load(commands, self.script);
        self.written = 0;
        connection.set_blocked(matches!(awaits, Awaits::Replica(_)));
        self.more_commands(connection, commands);
    }

    fn more_commands(&mut self, connection: &Connection, commands: &mut Vec<u8>) -> bool {
        let (before, awaits, waits) = (commands.len(), self.awaits(), self.waits);
        let last = self.parts.iter().rposition(|part| !part.is_done(waits)).map(|at| at + 1);
        while commands.len() < BYTES_PER_WRITE
            && let Some(part) = self.parts.get_mut(self.written)
        {
            self.written += 1;
            if !part.is_done(self.waits) {
                let reply_to =
                    (awaits == Awaits::Daemon).then(|| reply_to::encode(connection.caller(), part.call));
                part.write(self.script, &reply_to.unwrap_or_default(), commands);
                // Behind the last one.
                if let (Awaits::Replica(until), true) = (awaits, Some(self.written) == last) {
                    replication::ask(self.prefix, part.partition, until, commands);
                }
            }
        }
        commands.len() > before
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<(), LinkError> {
        // Daemons may answer the first calls before the script has answered the last ones.
        let mut messages = Vec::new();
        let answered = self.answers_of_script(connection, &mut messages, deadline);
        match self.awaits() {
            Awaits::Nothing => return answered,
            Awaits::Replica(_) => {
                return answered.and_then(|()| self.receive_replicated(connection, deadline));
            }
            Awaits::Daemon => {}
        }
        let mut wait = Wait::new(connection, self.prefix, deadline);
        for message in messages {
            self.take_reply(message, connection, &mut wait)?;
        }
        answered?;
        while self.parts.iter().any(|part| part.is_awaited(self.waits)) {
            let message = match connection.receive_message(wait.deadline()) {
                Err(LinkError::Timeout) => return Err(LinkError::Unanswered(wait.missed())),
                other => other?,
            };
            self.take_reply(message, connection, &mut wait)?;
        }
        Ok(())
    }

    fn needs(&self) -> Option<Needs<'_>> {
        self.needs
    }

    fn is_refusal(_outcome: &()) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn takes_effect_in_parts(&self) -> bool {
        true
    }

    fn on_failover(&mut self) {
        let waits = self.waits;
        for part in self.parts.iter_mut().filter(|part| part.is_awaited(waits)) {
            part.outdated = true;
        }
    }

    fn unanswered(&self) -> &'static Unanswered {
        match self.waits {
            Some(waits) if self.parts.iter().all(|part| !part.may_be_executed()) => waits.unanswered,
            _ => UNKNOWN,
        }
    }
}

impl Parts for ScriptCalls<'_> {
    fn divide<'a>(
        &mut self,
        master: impl Fn(Partition) -> Option<&'a Endpoint>,
    ) -> Vec<(&'a Endpoint, Self)> {
        let (waits, repeatable) = (self.waits, self.repeatable);
        let shares = shares::divide(&mut self.parts, |part| part.is_left(waits, repeatable), master);
        shares.into_iter().map(|(master, parts)| (master, Self { parts, ..*self })).collect()
    }

    fn unite(&mut self, share: Self) {
        shares::unite(&mut self.parts, share.parts);
    }

    fn unchecked(&self) -> Vec<Partition> {
        Vec::new()
    }

    fn left(&self) -> Option<Partition> {
        let left = self.parts.iter().find(|part| part.is_left(self.waits, self.repeatable));
        left.map(|part| part.partition)
    }

    fn has_effect(&self) -> bool {
        !self.repeatable && self.parts.iter().any(|part| part.answer.is_some() || part.may_be_executed())
    }

    fn forget_refusals(&mut self) -> bool {
        let found_no_daemon = self.found_no_daemon;
        let mut any = false;
        for part in &mut self.parts {
            if part.answer.as_deref().is_some_and(found_no_daemon) && part.come.is_none() {
                part.answer = None;
                any = true;
            }
        }
        any
    }
}

impl ScriptCalls<'_> {
    fn awaits(&self) -> Awaits {
        self.waits.map_or(Awaits::Nothing, |waits| waits.awaits)
    }

    /// Waits for a replica that has all that was written.
    fn receive_replicated(
        &mut self,
        connection: &mut Connection,
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let waits = self.waits;
        if self.parts.iter().any(|part| part.is_awaited(waits)) {
            replication::receive(connection, deadline)?;
            for part in self.parts.iter_mut().filter(|part| part.is_awaited(waits)) {
                part.come = Some(Come::Replica);
            }
        }
        Ok(())
    }

    /// Reads the script's answer to each call, and keeps the messages that come between them.
    fn answers_of_script(
        &mut self,
        connection: &mut Connection,
        messages: &mut Vec<Vec<u8>>,
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let mut subscribed = Ok(());
        for _ in 0..self.subscribes {
            match connection.receive_subscription(deadline) {
                Ok(()) => {}
                Err(LinkError::Redis(error)) => subscribed = Err(LinkError::Subscription(error)),
                Err(other) => return Err(other),
            }
        }
        let loaded = if self.loads { connection.receive(deadline)?.into_result().map(drop) } else { Ok(()) };
        let (mut refused, mut executed) = (None, false);
        for part in self.parts.iter_mut().filter(|part| part.pending) {
            match connection.receive_among(messages, deadline)?.into_array() {
                Ok(answer) => {
                    let answer = answer.into_iter().map(Answer::into_bytes).collect::<Result<_, _>>()?;
                    let before = part.answer.replace(answer);
                    part.first = part.first.take().or(before);
                    part.pending = false;
                    part.outdated = false;
                    executed = true;
                }
                // An error that does not say that nothing was executed leaves that open.
                Err(error @ (LinkError::NoScript | LinkError::Redis(_))) => {
                    part.pending = !error.says_not_executed();
                    refused.get_or_insert(error);
                }
                Err(other) => return Err(other),
            }
        }
        match (refused, loaded) {
            (None, _) => subscribed,
            (Some(error), _) if executed && !self.repeatable => Err(LinkError::Halfway(Arc::new(error))),
            (Some(LinkError::NoScript), Err(refused)) => Err(refused),
            (Some(error), _) => Err(error),
        }
    }

    /// Takes the answer of a daemon to one of the calls. Answers to earlier calls, which timed out, are dropped.
    fn take_reply(
        &mut self,
        message: Vec<u8>,
        connection: &mut Connection,
        wait: &mut Wait,
    ) -> Result<(), LinkError> {
        let message = String::from_utf8(message).map_err(|_| LinkError::OtherVersion(None))?;
        let Some((call, daemon, json)) = reply_to::answer(&message) else { return Ok(()) };
        let awaited = self.parts.iter_mut().find(|part| part.call == call && part.is_awaited(self.waits));
        let Some(part) = awaited else { return Ok(()) };
        wait.answered();
        let reply: Reply =
            serde_json::from_str(json).map_err(|error| LinkError::OtherVersion(Some(error)))?;
        // A daemon that refused is not asked first the next time.
        let refused = matches!(reply, Reply::Refused(_));
        connection.answered_by(if refused { "" } else { daemon });
        part.come = Some(Come::Reply(reply));
        Ok(())
    }
}

/// The wait for daemons. The first answer says that one is there; if none comes, the next call waits for a shorter
/// time.
struct Wait {
    first: Option<DaemonWait>,
    deadline: Instant,
}

impl Wait {
    fn new(connection: &Connection, prefix: &Prefix, deadline: Instant) -> Self {
        Self { first: Some(breaker::begin(Awaited::Any, connection, prefix, deadline)), deadline }
    }

    fn deadline(&self) -> Instant {
        self.first.as_ref().map_or(self.deadline, DaemonWait::deadline)
    }

    fn answered(&mut self) {
        if let Some(first) = self.first.take() {
            first.answered();
        }
    }

    fn missed(self) -> Option<Silence> {
        self.first.and_then(|first| first.missed(false))
    }
}
