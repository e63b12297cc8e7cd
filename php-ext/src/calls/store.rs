//! Calls that store messages.

use std::borrow::Cow;
use std::time::Duration;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::CONVERSATIONS;
use chatpush_wire::envelope;
use chatpush_wire::frame::{AFTER_TIME, Message, MessageType};
use chatpush_wire::id::{MessageId, Sender, UserId};
use chatpush_wire::limit::{CHOSEN_SEEN_TTL, LOG_ENTRIES, SEEN_TTL};
use chatpush_wire::lua::ACCEPT;
use chatpush_wire::new_entry::NewMessage;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;

use super::{new_id, now_ms, unexpected};
use crate::delivery::Delivery;
use crate::error::Error;
use crate::exchange::{Awaits, Keys, Progress, ScriptCall, ScriptOutcome};
use crate::link::{self, Known, Unanswered};
use crate::settings::{Call, Durability, Settings};

/// What is known when the message was accepted and no daemon has answered.
const UNCOMMITTED: &Unanswered = &Unanswered {
    known: Known::Queued,
    text: "the message is queued and will be stored once, but it was not committed in time \
           (is MySQL away, or does the calling transaction hold this user's row?)",
};

/// What is known when the message was accepted and no replica has confirmed that it has it.
const UNREPLICATED: &Unanswered = &Unanswered {
    known: Known::Queued,
    text: "the message is queued and will be stored once, but no replica of Redis was known to have it in time \
           (does one run, and does it keep up?)",
};

/// What a store waits for, and what is known when that has not come.
pub(super) fn awaits(call: &Call) -> (Awaits, &'static Unanswered) {
    match call.durability {
        Durability::Committed => (Awaits::Daemon, UNCOMMITTED),
        Durability::Queued => (Awaits::Nothing, UNCOMMITTED),
        Durability::Replicated => (Awaits::Replica(call.deadline()), UNREPLICATED),
    }
}

/// Stores a message. Returns true after the commit or, with another `chatpush.durability`, once it is in the log,
/// or in that of a replica too.
pub(crate) fn store(call: &Call, sender: &UserId, receiver: &UserId, content: &str) -> Result<bool, Error> {
    let id = new_id(now_ms())?;
    let message = NewMessage { id: &id, sender, receiver, content, message_type: None, conversation: None };
    accept(call, &message, seen_ttl(call)).map(|_online| true)
}

/// Stores a message and pushes it in the same step. A second call with the same chosen id is the same
/// message.
pub(crate) fn send(
    call: &Call,
    sender: &UserId,
    receiver: &UserId,
    content: &str,
    message_type: &MessageType,
    chosen: Option<MessageId>,
    conversation: Option<&Conversation>,
) -> Result<Delivery, Error> {
    let is_chosen = chosen.is_some();
    let (id, ttl) = match chosen {
        Some(id) => (id, CHOSEN_SEEN_TTL),
        None => (new_id(now_ms())?, seen_ttl(call)),
    };
    let message_type = Some(message_type);
    let message = NewMessage { id: &id, sender, receiver, content, message_type, conversation };
    let accepted = accept(call, &message, ttl);
    let online = accepted.map_err(|error| if is_chosen { error.idempotent() } else { error })?;
    Ok(if online { Delivery::Live } else { Delivery::Stored })
}

/// How long a generated message id is remembered.
pub(super) fn seen_ttl(settings: &Settings) -> Duration {
    SEEN_TTL.max(settings.timeout * 2)
}

/// Accepts a message. Returns whether its receiver was connected. The id makes a repeated call the same
/// message.
fn accept(call: &Call, message: &NewMessage<'_>, ttl: Duration) -> Result<bool, Error> {
    let NewMessage { id, sender, receiver, content, message_type, conversation } = *message;
    let partition = Partition::of(receiver);
    let prefix = &call.prefix;
    let from = Sender::from(sender);
    let frame = Message { id, message_type, data: content, from: Some(&from), conversation };
    let before_time = envelope::tracked(id, message_type.is_none()) + &frame.before_time();
    let mut arguments: Vec<Cow<'_, str>> = vec![
        LOG_ENTRIES.to_string().into(),
        ttl.as_millis().to_string().into(),
        before_time.into(),
        AFTER_TIME.into(),
    ];
    arguments.extend(message.fields().into_iter().flat_map(|(name, value)| [name.into(), value]));
    let (awaits, unanswered) = awaits(call);
    let mut script = ScriptCall {
        script: &ACCEPT,
        keys: Keys::Fixed(vec![
            prefix.log(partition),
            prefix.seen(receiver, id),
            prefix.user_channel(receiver),
            prefix.daemons_channel(partition),
        ]),
        arguments,
        repeatable: true,
        partition,
        prefix,
        content: Some(content),
        entries: if conversation.is_some() { CONVERSATIONS } else { 0 },
        awaits,
        unanswered,
        progress: Progress::default(),
    };
    match link::execute(call, &mut script, call.deadline())? {
        ScriptOutcome::Accepted(online) => Ok(online == "1"),
        ScriptOutcome::Replied(Reply::Stored { receiver_online }) => Ok(receiver_online),
        ScriptOutcome::Replied(other) => Err(unexpected(other)),
    }
}
