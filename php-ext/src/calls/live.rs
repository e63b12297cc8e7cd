//! Calls that reach only users who are connected now.

use chatpush_wire::envelope;
use chatpush_wire::frame::{Message, MessageType};
use chatpush_wire::id::UserId;

use super::new_id;
use crate::error::Error;
use crate::exchange::Command;
use crate::fetched_rows;
use crate::link::{self, Answer, LinkError};
use crate::settings;

/// Pushes a message. True if the user is connected.
pub(crate) fn push(receiver: UserId, content: &str, message_type: &MessageType) -> Result<bool, Error> {
    let settings = settings::current()?;
    let envelope = if let Some(row) = fetched_rows::take(receiver, content) {
        let message =
            Message { id: &row.id, message_type: Some(message_type), data: content, from: Some(row.sender) };
        envelope::tracked(&row.id, false) + &message.stored(row.time_ms)
    } else {
        let (id, now) = new_id()?;
        let message = Message { id: &id, message_type: Some(message_type), data: content, from: None };
        envelope::EPHEMERAL.to_owned() + &message.live(now)
    };
    let channel = settings.prefix.user_channel(receiver);
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope.as_bytes()];
    // A repeated push could be shown twice.
    let mut command = Command { parts: &parts, repeatable: false, query: false, read: Answer::into_number };
    Ok(link::execute(&settings, &mut command, settings.deadline())? > 0)
}

/// Closes the user's connections on every daemon. True if there were any.
pub(crate) fn disconnect(user: UserId) -> Result<bool, Error> {
    let settings = settings::current()?;
    let channel = settings.prefix.user_channel(user);
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope::DISCONNECT.as_bytes()];
    let mut command = Command { parts: &parts, repeatable: true, query: false, read: Answer::into_number };
    Ok(link::execute(&settings, &mut command, settings.deadline())? > 0)
}

/// Whether a daemon holds a connection of the user.
pub(crate) fn is_online(user: UserId) -> Result<bool, Error> {
    let settings = settings::current()?;
    let channel = settings.prefix.user_channel(user);
    let parts: [&[u8]; 3] = [b"PUBSUB", b"SHARDNUMSUB", channel.as_bytes()];
    let read = |answer: Answer| {
        let count = answer.into_array()?.into_iter().nth(1);
        count.ok_or(LinkError::TooShort)?.into_number()
    };
    let mut command = Command { parts: &parts, repeatable: true, query: true, read };
    Ok(link::execute(&settings, &mut command, settings.deadline())? > 0)
}
