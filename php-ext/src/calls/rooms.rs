//! Calls that reach everybody in a room, or everybody.

use std::collections::BTreeSet;

use chatpush_wire::envelope;
use chatpush_wire::frame::live::in_room;
use chatpush_wire::frame::{Message, MessageType};
use chatpush_wire::id::UserId;
use chatpush_wire::limit::ROOM_USERS;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::room::Room;

use super::{new_id, now_ms, unexpected};
use crate::error::Error;
use crate::exchange::{Command, Gather, Gathering};
use crate::link::{self, Answer, Place};
use crate::settings::Call;

/// Pushes a message to everybody in a room. True if anybody is there.
pub(crate) fn push_to_room(
    call: &Call,
    room: &Room,
    content: &str,
    message_type: &MessageType,
) -> Result<bool, Error> {
    let now = now_ms();
    let id = new_id(now)?;
    let message =
        Message { id: &id, message_type: Some(message_type), data: content, from: None, conversation: None };
    let partition = Partition::of_text(room.as_str());
    publish(call, partition, &call.prefix.room_channel(room), &in_room(&message, room, now))
}

/// Pushes a message to everybody who is connected. True if anybody is.
pub(crate) fn push_to_all(call: &Call, content: &str, message_type: &MessageType) -> Result<bool, Error> {
    let now = now_ms();
    let id = new_id(now)?;
    let message =
        Message { id: &id, message_type: Some(message_type), data: content, from: None, conversation: None };
    publish(call, Partition::FIRST, &call.prefix.everyone_channel(), &message.live(now))
}

fn publish(call: &Call, partition: Partition, channel: &str, frame: &str) -> Result<bool, Error> {
    let envelope = envelope::EPHEMERAL.to_owned() + frame;
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope.as_bytes()];
    // A repeated push could be shown twice.
    let place = Place::Channels(partition);
    let mut command =
        Command { place, parts: &parts, repeatable: false, query: false, read: Answer::into_number };
    Ok(link::execute(call, &mut command, call.deadline())? > 0)
}

/// Who has a connection in a room, each once, at most [`ROOM_USERS`].
pub(crate) fn room_users(call: &Call, room: &Room) -> Result<Vec<UserId>, Error> {
    let channel = call.prefix.room_channel(room);
    let mut question = Gather {
        prefix: &call.prefix,
        partition: Partition::of_text(room.as_str()),
        channel: &channel,
        question: envelope::MEMBERS,
        progress: Gathering::default(),
    };
    let mut users = BTreeSet::new();
    for reply in link::execute(call, &mut question, call.deadline())? {
        match reply {
            Reply::Members { user_id_type, users: found } => {
                users.extend(found.iter().filter_map(|id| id.of_type(user_id_type).ok()));
            }
            other => return Err(unexpected(other)),
        }
    }
    Ok(users.into_iter().take(ROOM_USERS).collect())
}
