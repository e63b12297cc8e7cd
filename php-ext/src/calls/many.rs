//! Calls that reach many users who are connected now, in one write.

use std::borrow::Cow;

use chatpush_wire::envelope;
use chatpush_wire::frame::{Message, MessageType};
use chatpush_wire::id::UserId;
use chatpush_wire::lua::PUSH;

use super::groups::groups;
use super::{new_id, now_ms};
use crate::error::Error;
use crate::exchange::{Commands, Part, PartitionCommand, ScriptCalls};
use crate::link::{self, Answer};
use crate::settings::Call;

/// Pushes a message to many users. Returns those who are connected, in the order of the list.
pub(crate) fn push(
    call: &Call,
    receivers: Vec<UserId>,
    content: &str,
    message_type: &MessageType,
) -> Result<Vec<UserId>, Error> {
    if receivers.is_empty() {
        return Ok(receivers);
    }
    let prefix = &call.prefix;
    let now = now_ms();
    let id = new_id(now)?;
    let message =
        Message { id: &id, message_type: Some(message_type), data: content, from: None, conversation: None };
    let envelope = envelope::EPHEMERAL.to_owned() + &message.live(now);
    let groups = groups(&receivers);
    let parts = groups.iter().map(|group| {
        let users = || group.places.iter().filter_map(|place| receivers.get(*place));
        let mut keys = vec![prefix.daemons_channel(group.partition)];
        keys.extend(users().map(|user| prefix.user_channel(user)));
        let mut arguments: Vec<Cow<'_, str>> = vec![envelope.as_str().into(), envelope::MANY.into()];
        arguments.extend(users().map(|user| user.to_string().into()));
        Part::new(group.partition, keys, arguments)
    });
    let mut calls = ScriptCalls {
        script: &PUSH,
        prefix,
        parts: parts.collect(),
        // A repeated push could be shown twice.
        repeatable: false,
        needs: None,
        found_no_daemon: |_| false,
        waits: None,
        subscribes: 0,
        loads: false,
        written: 0,
    };
    link::execute_parts(call, &mut calls, call.deadline())?;
    let mut reached = vec![false; receivers.len()];
    for (group, part) in groups.iter().zip(&calls.parts) {
        let digits = part.answer().and_then(|answer| answer.first()).map(Vec::as_slice).unwrap_or_default();
        for (place, digit) in group.places.iter().zip(digits) {
            if let Some(reached) = reached.get_mut(*place) {
                *reached = *digit == b'1';
            }
        }
    }
    Ok(chosen(receivers, &reached))
}

/// Those of the users who are connected to a daemon, in the order of the list.
pub(crate) fn online(call: &Call, users: Vec<UserId>) -> Result<Vec<UserId>, Error> {
    if users.is_empty() {
        return Ok(users);
    }
    let groups = groups(&users);
    let commands = groups.iter().map(|group| {
        let users = group.places.iter().filter_map(|place| users.get(*place));
        let channels = users.map(|user| call.prefix.user_channel(user));
        let command = ["PUBSUB".to_owned(), "SHARDNUMSUB".to_owned()].into_iter().chain(channels).collect();
        PartitionCommand::new(group.partition, command)
    });
    // The answer is each channel and its number of subscribers, in the order of the command.
    let read = |answer: Answer| {
        answer.into_array()?.into_iter().skip(1).step_by(2).map(Answer::into_number).collect()
    };
    let mut exchange = Commands::<Vec<i64>> { parts: commands.collect(), read };
    link::execute_parts(call, &mut exchange, call.deadline())?;
    let counts = exchange.parts.into_iter().map(|part| part.into_answer().unwrap_or_default());
    let mut online = vec![false; users.len()];
    for (group, counts) in groups.iter().zip(counts) {
        for (place, count) in group.places.iter().zip(counts) {
            if let Some(online) = online.get_mut(*place) {
                *online = count > 0;
            }
        }
    }
    Ok(chosen(users, &online))
}

/// The users whose flag is set.
fn chosen(users: Vec<UserId>, flags: &[bool]) -> Vec<UserId> {
    users.into_iter().zip(flags).filter_map(|(user, flag)| flag.then_some(user)).collect()
}
