//! Calls that reach only users who are connected now.

use std::rc::Rc;

use chatpush_wire::envelope;
use chatpush_wire::frame::{Message, MessageType};
use chatpush_wire::id::UserId;
use chatpush_wire::limit::REVOCATION_TTL;
use chatpush_wire::lua::DISCONNECT;
use chatpush_wire::partition::Partition;

use super::{new_id, now_ms, unexpected};
use crate::error::Error;
use crate::exchange::{Awaits, Command, Keys, Progress, ScriptCall, ScriptOutcome};
use crate::fetched_rows::FetchedRow;
use crate::link::{self, Answer, Known, LinkError, Place, Unanswered};
use crate::settings::Call;

/// Pushes a message, or the content of a stored row as that row. True if the user is connected.
pub(crate) fn push(
    call: &Call,
    receiver: &UserId,
    content: &str,
    message_type: &MessageType,
    row: Option<Rc<FetchedRow>>,
) -> Result<bool, Error> {
    let now = now_ms();
    let is_row = row.is_some();
    let message_type = Some(message_type);
    let envelope = if let Some(row) = row {
        let conversation = row.conversation.as_ref();
        let message =
            Message { id: &row.id, message_type, data: content, from: row.sender.as_ref(), conversation };
        envelope::tracked(&row.id, false) + &message.stored(row.time_ms.unwrap_or(now))
    } else {
        let id = new_id(now)?;
        let message = Message { id: &id, message_type, data: content, from: None, conversation: None };
        envelope::EPHEMERAL.to_owned() + &message.live(now)
    };
    let channel = call.prefix.user_channel(receiver);
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope.as_bytes()];
    // A repeated push could be shown twice.
    let place = Place::Channels(Partition::of(receiver));
    let mut command =
        Command { place, parts: &parts, repeatable: false, query: false, read: Answer::into_number };
    let pushed = link::execute(call, &mut command, call.deadline()).map_err(Error::from);
    // A connection shows a row once, whatever the number of pushes.
    Ok(pushed.map_err(|error| if is_row { error.idempotent() } else { error })? > 0)
}

/// Revokes the user's tokens from before this second, and closes the user's connections on every daemon. True
/// if there were any.
pub(crate) fn disconnect(call: &Call, user: &UserId) -> Result<bool, Error> {
    let prefix = &call.prefix;
    let mut script = ScriptCall {
        script: &DISCONNECT,
        keys: Keys::Fixed(vec![prefix.revoked(user), prefix.user_channel(user)]),
        content: None,
        entries: 0,
        arguments: vec![
            (now_ms() / 1000).to_string().into(),
            REVOCATION_TTL.as_millis().to_string().into(),
            envelope::DISCONNECT.into(),
        ],
        repeatable: true,
        partition: Partition::of(user),
        prefix,
        awaits: Awaits::Nothing,
        unanswered: &Unanswered { known: Known::Unknown, text: "the outcome is unknown" },
        progress: Progress::default(),
    };
    let done = link::execute(call, &mut script, call.deadline()).map_err(Error::from);
    match done.map_err(Error::idempotent)? {
        ScriptOutcome::Accepted(daemons) => Ok(daemons != "0"),
        ScriptOutcome::Replied(other) => Err(unexpected(other)),
    }
}

/// Whether a daemon holds a connection of the user.
pub(crate) fn is_online(call: &Call, user: &UserId) -> Result<bool, Error> {
    let channel = call.prefix.user_channel(user);
    let parts: [&[u8]; 3] = [b"PUBSUB", b"SHARDNUMSUB", channel.as_bytes()];
    let read = |answer: Answer| {
        let count = answer.into_array()?.into_iter().nth(1);
        count.ok_or(LinkError::TooShort)?.into_number()
    };
    let place = Place::Subscribers(Partition::of(user));
    let mut command = Command { place, parts: &parts, repeatable: true, query: true, read };
    Ok(link::execute(call, &mut command, call.deadline())? > 0)
}
