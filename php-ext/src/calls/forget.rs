//! The call that removes everything that is kept of a user.

use std::borrow::Cow;

use chatpush_wire::entry::FORGETS;
use chatpush_wire::envelope;
use chatpush_wire::id::UserId;
use chatpush_wire::limit::REVOCATION_TTL;
use chatpush_wire::lua::FORGET;
use chatpush_wire::new_entry;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;

use super::{live, now_ms, unexpected};
use crate::error::Error;
use crate::exchange::{Awaits, Keys, Progress, ScriptCall, ScriptOutcome};
use crate::link::{self, Known, Unanswered};
use crate::settings::Call;

/// Closes the user's connections, revokes their tokens, and removes everything that is kept of the user. An
/// installation that only pushes keeps nothing else than the revocation.
pub(crate) fn forget(call: &Call, user: &UserId) -> Result<(), Error> {
    match forget_stored(call, user) {
        Err(Error::Execute(refused)) if refused.is_push_only() => live::disconnect(call, user).map(drop),
        // The application may repeat it: what was removed stays so.
        done => done.map_err(Error::idempotent),
    }
}

/// The same, where messages are stored.
fn forget_stored(call: &Call, user: &UserId) -> Result<(), Error> {
    let partition = Partition::of(user);
    let prefix = &call.prefix;
    let mut arguments: Vec<Cow<'_, str>> = vec![
        (now_ms() / 1000).to_string().into(),
        REVOCATION_TTL.as_millis().to_string().into(),
        envelope::DISCONNECT.into(),
    ];
    arguments.extend(new_entry::forget(user).into_iter().flat_map(|(name, value)| [name.into(), value]));
    let mut script = ScriptCall {
        script: &FORGET,
        keys: Keys::Fixed(vec![
            prefix.log(partition),
            prefix.daemons_channel(partition),
            prefix.revoked(user),
            prefix.user_channel(user),
        ]),
        arguments,
        // A second one would include messages that came in between.
        repeatable: false,
        partition,
        prefix,
        content: None,
        entries: FORGETS,
        awaits: Awaits::Daemon,
        unanswered: &Unanswered {
            known: Known::Queued,
            text: "it is queued and will be done, but not in time (did very much wait, is MySQL away, or does the \
                   calling transaction hold this user's row?)",
        },
        progress: Progress::default(),
    };
    match link::execute(call, &mut script, call.deadline())? {
        ScriptOutcome::Replied(Reply::Forgotten) => Ok(()),
        ScriptOutcome::Replied(other) => Err(unexpected(other)),
        ScriptOutcome::Accepted(_) => Err(Error::UnexpectedReply),
    }
}
