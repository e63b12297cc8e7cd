//! A question to every daemon that it concerns, and the wait for all answers.

use std::time::Instant;

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to;

use super::NO_ANSWER;
use super::script_call::parse_reply;
use crate::link::breaker::{self, Awaited};
use crate::link::{Connection, Exchange, Known, LinkError, Needs, Place, Unanswered, command};

/// What is known when a daemon has not answered.
const SILENT: &Unanswered =
    &Unanswered { known: Known::NotQueued, text: "a chatpushd did not answer in time" };

/// A question that is published to the daemons that are subscribed to a channel.
pub(crate) struct Gather<'a> {
    pub(crate) prefix: &'a Prefix,
    /// The partition of the channel.
    pub(crate) partition: Partition,
    pub(crate) channel: &'a str,
    /// What the question begins with; the `reply_to` follows.
    pub(crate) question: &'a str,
    pub(crate) progress: Gathering,
}

/// How far a question is.
#[derive(Default)]
pub(crate) struct Gathering {
    /// The number of the call.
    call: u64,
    /// Whether a subscription precedes the question, because this connection does not have it yet.
    subscribes: bool,
    /// Whether the question was published.
    published: bool,
}

impl Exchange for Gather<'_> {
    type Outcome = Vec<Reply>;

    fn place(&self) -> Place {
        Place::Channels(self.partition)
    }

    fn commands(&mut self, connection: &mut Connection, commands: &mut Vec<u8>) {
        let call = connection.begin_call();
        let channel = self.prefix.reply_channel(self.partition, connection.caller());
        let subscribes = connection.subscribe(commands, channel);
        self.progress = Gathering { call, subscribes, published: false };
        let question = self.question.to_owned() + &reply_to::encode(connection.caller(), call);
        command(commands, &[b"SPUBLISH", self.channel.as_bytes(), question.as_bytes()]);
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<Vec<Reply>, LinkError> {
        if self.progress.subscribes {
            // The question was sent with it, so its answer follows an error too.
            if let Err(error) = connection.receive_subscription(deadline) {
                return Err(match error {
                    LinkError::Redis(error) => {
                        // A node of a cluster that does not have the partition refuses both.
                        connection.receive(deadline)?;
                        LinkError::Subscription(error)
                    }
                    other => other,
                });
            }
        }
        let daemons = connection.receive(deadline)?.into_number()?;
        self.progress.published = true;
        let mut replies = Vec::new();
        if daemons == 0 {
            return Ok(replies);
        }
        let wait = breaker::begin(Awaited::Each, connection, self.prefix, deadline);
        for _ in 0..daemons {
            match self.next(connection, wait.deadline()) {
                Err(LinkError::Timeout) => {
                    return Err(LinkError::Unanswered(wait.missed(!replies.is_empty())));
                }
                reply => replies.push(reply?),
            }
        }
        wait.answered();
        Ok(replies)
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn is_refusal(_outcome: &Vec<Reply>) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn unanswered(&self) -> &'static Unanswered {
        if self.progress.published { SILENT } else { NO_ANSWER }
    }
}

impl Gather<'_> {
    /// The next answer to this question. Answers to earlier calls, which timed out, are dropped.
    fn next(&self, connection: &mut Connection, deadline: Instant) -> Result<Reply, LinkError> {
        loop {
            let message = connection.receive_message(deadline)?;
            let message = String::from_utf8(message).map_err(|_| LinkError::OtherVersion(None))?;
            if let Some((_, json)) = reply_to::answer_to(self.progress.call, &message) {
                return parse_reply(json.as_bytes());
            }
        }
    }
}
