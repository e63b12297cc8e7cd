//! Calls that take messages back.

use std::borrow::Cow;

use chatpush_wire::entry::RECALLS;
use chatpush_wire::envelope;
use chatpush_wire::frame::sent;
use chatpush_wire::id::{ChosenId, MessageId, UserId};
use chatpush_wire::limit::CHOSEN_SEEN_TTL;
use chatpush_wire::lua::RECALL;
use chatpush_wire::new_entry;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;

use super::unexpected;
use crate::error::Error;
use crate::exchange::{Awaits, Keys, Progress, ScriptCall, ScriptOutcome};
use crate::link::{self, Known, Unanswered};
use crate::settings::Call;

/// Takes back a message that no client has confirmed. Returns whether that was so.
pub(crate) fn recall(call: &Call, sender: &UserId, receiver: &UserId, id: MessageId) -> Result<bool, Error> {
    let ids = possible_ids(sender, id);
    if ids.is_empty() {
        return Ok(false);
    }
    let partition = Partition::of(receiver);
    let prefix = &call.prefix;
    let mut keys =
        vec![prefix.log(partition), prefix.daemons_channel(partition), prefix.user_channel(receiver)];
    keys.extend(ids.iter().map(|id| prefix.seen(receiver, id)));
    // A generated id may be of another sender's message. The writer, which knows, tells of it.
    let own: Vec<_> = ids.iter().filter(|id| id.is_chosen()).cloned().collect();
    let envelope =
        if own.is_empty() { String::new() } else { envelope::RECALL.to_owned() + &sent::recall(&own) };
    let mut arguments: Vec<Cow<'_, str>> =
        vec![CHOSEN_SEEN_TTL.as_millis().to_string().into(), envelope.into()];
    let fields = new_entry::recall(sender, receiver, &ids);
    arguments.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value]));
    let mut script = ScriptCall {
        script: &RECALL,
        keys: Keys::Fixed(keys),
        arguments,
        // A second one would find nothing.
        repeatable: false,
        partition,
        prefix,
        content: None,
        entries: RECALLS,
        awaits: Awaits::Daemon,
        unanswered: &Unanswered {
            known: Known::Queued,
            text: "the recall is queued and will be done, but not in time (is MySQL away, or does the calling \
                   transaction hold this user's row?)",
        },
        progress: Progress::default(),
    };
    // The application may repeat it: what was taken back stays so.
    let done = link::execute(call, &mut script, call.deadline()).map_err(Error::from);
    match done.map_err(Error::idempotent)? {
        ScriptOutcome::Replied(Reply::Recalled(taken)) => Ok(taken),
        ScriptOutcome::Replied(other) => Err(unexpected(other)),
        ScriptOutcome::Accepted(_) => Err(Error::UnexpectedReply),
    }
}

/// The ids of frames that the application may mean: one of the sender's own, or one that the sender chose. A
/// text in the form of a generated id may be either.
fn possible_ids(sender: &UserId, id: MessageId) -> Vec<MessageId> {
    let own = id.as_str().strip_prefix(&sender.to_string()).is_some_and(|rest| rest.starts_with(':'));
    if own {
        return vec![id];
    }
    let chosen = ChosenId::try_from(id.as_str().as_bytes()).ok();
    let chosen = chosen.map(|chosen| MessageId::chosen(sender, chosen));
    let generated = id.time_ms().is_some().then_some(id);
    chosen.into_iter().chain(generated).collect()
}
