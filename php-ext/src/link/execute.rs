//! One exchange with Redis, and its repetition within the deadline of the call.

use std::sync::Arc;
use std::time::Instant;

use chatpush_wire::address::{Endpoint, Location};
use chatpush_wire::partition::Partition;

use super::cluster;
use super::connection::Connection;
use super::error::LinkError;
use super::execute_error::ExecuteError;
use super::installation::{self, InstallationError, Needs};
use super::known::{Known, Unanswered};
use super::pauses::Pauses;
use super::slot;
use crate::settings::Settings;

/// What is known when the request could not even be sent.
const NOT_SENT: &Unanswered = &Unanswered {
    known: Known::NotQueued,
    text: "Redis did not take the request in time; nothing was queued",
};

/// What is known when the account may not subscribe to the channel of its answers.
const UNHEARD: &Unanswered =
    &Unanswered { known: Known::Queued, text: "it is queued and will be done once; do not repeat it" };

/// What is known when a script stopped half-way.
const UNCERTAIN: &Unanswered = &Unanswered { known: Known::Unknown, text: "the outcome is unknown" };

/// Where the names of an exchange are in a Redis Cluster. One server has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It has none: any master does.
    Any,
    /// With the installation record.
    Record,
    /// In a partition: keys, for a script.
    Keys(Partition),
    /// In a partition: channels. A cluster that is down goes on to publish.
    Channels(Partition),
    /// In a partition: channels whose subscribers are counted (`PUBSUB SHARDNUMSUB`). Another master than the
    /// partition's does not refuse that, as all else: it answers that there are none.
    Subscribers(Partition),
}

/// Commands and what is made of the answers to them.
pub(crate) trait Exchange {
    /// What the answers are made into.
    type Outcome;

    /// Where the names of its commands are.
    fn place(&self) -> Place;

    /// Appends the commands to what is sent in one write, or the first of them.
    fn commands(&mut self, connection: &mut Connection, commands: &mut Vec<u8>);

    /// Appends the next commands, where they are too long for one write. False: there are none.
    fn more_commands(&mut self, _connection: &Connection, _commands: &mut Vec<u8>) -> bool {
        false
    }

    /// Reads the answers.
    fn answers(&mut self, connection: &mut Connection, deadline: Instant)
    -> Result<Self::Outcome, LinkError>;

    /// Whether the outcome says that nothing was done.
    fn is_refusal(outcome: &Self::Outcome) -> bool;

    /// Whether the commands may be executed twice: that does no harm and gives the same answer.
    fn is_repeatable(&self) -> bool;

    /// Whether each command takes effect on its own. Then some were executed, perhaps, when not all could be sent.
    fn takes_effect_in_parts(&self) -> bool {
        false
    }

    /// What it needs of the installation, if it needs one.
    fn needs(&self) -> Option<Needs<'_>>;

    /// The connection broke, and the next one may be to another master, which has not replicated all of this one. What
    /// was queued may not be any more.
    fn on_failover(&mut self) {}

    /// What is known of the outcome when no answer has come.
    fn unanswered(&self) -> &'static Unanswered;
}

/// An exchange of parts, each of which is of one partition and takes effect on its own.
pub(crate) trait Parts: Exchange<Outcome = ()> + Sized {
    /// Takes out the parts that are to be executed, still or again, as one exchange for each master. A part of which
    /// no master is known stays.
    fn divide<'a>(&mut self, master: impl Fn(Partition) -> Option<&'a Endpoint>)
    -> Vec<(&'a Endpoint, Self)>;

    /// Puts back what was taken out.
    fn unite(&mut self, share: Self);

    /// The partitions of its parts that are [`Place::Subscribers`].
    fn unchecked(&self) -> Vec<Partition>;

    /// The partition of a part that is still to be executed.
    fn left(&self) -> Option<Partition>;

    /// Whether parts may have had an effect.
    fn has_effect(&self) -> bool;

    /// Forgets answers which say that no daemon was there. False: there are none.
    fn forget_refusals(&mut self) -> bool;
}

/// Executes an exchange of parts: all of them on the one server, or each on its master.
pub(crate) fn execute_parts<E: Parts>(
    settings: &Settings,
    exchange: &mut E,
    deadline: Instant,
) -> Result<(), ExecuteError> {
    match &settings.address.location {
        Location::Server(_) | Location::Sentinel(_) => execute(settings, exchange, deadline),
        Location::Cluster(nodes) => cluster::execute_parts(settings, nodes, exchange, deadline),
    }
}

/// Executes an exchange on the kept connection, or on a new one. It is executed again within the deadline
/// when the connection breaks before everything was sent, or when the exchange is repeatable, or when Redis
/// refuses for a reason that passes: it is loading its data, is blocked by a script, or is a replica.
pub(crate) fn execute<E: Exchange>(
    settings: &Settings,
    exchange: &mut E,
    deadline: Instant,
) -> Result<E::Outcome, ExecuteError> {
    if let Location::Cluster(nodes) = &settings.address.location {
        return cluster::execute(settings, nodes, exchange, deadline);
    }
    let began = Instant::now();
    let mut pauses = Pauses::new(deadline);
    let mut script_was_missing = false;
    // What is known from earlier tries that were sent completely, so that Redis may have executed them.
    let mut before: Option<&'static Unanswered> = None;
    loop {
        let (mut connection, is_probe) = match slot::take(settings, deadline) {
            // An earlier try may have been executed. That matters more than that there is no other.
            Err(unreachable) => {
                return Err(match before {
                    Some(unanswered) => {
                        ExecuteError::TimedOut { unanswered, cause: Some(unreachable.into()), silence: None }
                    }
                    None => unreachable,
                });
            }
            Ok(taken) => taken,
        };
        connection.set_busy_poll(settings.busy_poll);
        let (sent, done) = try_once(exchange, &mut connection, deadline);
        let cause = match done {
            Ok(outcome) => {
                slot::keep(connection);
                // This try was refused, and an earlier one may have been executed.
                return match before {
                    Some(unanswered) if E::is_refusal(&outcome) => {
                        Err(ExecuteError::TimedOut { unanswered, cause: None, silence: None })
                    }
                    _ => Ok(outcome),
                };
            }
            Err(cause) => cause,
        };
        let may_be_executed = sent && !cause.says_not_executed();
        if may_be_executed {
            before = Some(exchange.unanswered().after(before));
        }
        if cause.is_of_connection() && matches!(settings.address.location, Location::Sentinel(_)) {
            exchange.on_failover();
            before = before.map(Unanswered::after_failover);
        }
        let is_last = match &cause {
            LinkError::Timeout | LinkError::Unanswered(_) => true,
            LinkError::NoScript => std::mem::replace(&mut script_was_missing, true),
            // Redis does not execute a command that it has not received completely.
            other => is_probe || !other.is_passing() || may_be_executed && !exchange.is_repeatable(),
        };
        if let LinkError::Unanswered(Some(_)) | LinkError::Installation(_) = cause {
            // It is in order, and opening one for each call would cost more than the cut wait saves.
            slot::keep(connection);
        }
        if is_last || !pauses.pause() {
            let cause = Arc::new(cause);
            if matches!(&*cause, LinkError::Redis(error) if error.is_passing()) {
                slot::fail(settings, &cause, began, is_probe);
            }
            return Err(failure(settings, cause, before));
        }
    }
}

/// Returns whether Redis may have everything that it takes for an effect, and what came of it.
fn try_once<E: Exchange>(
    exchange: &mut E,
    connection: &mut Connection,
    deadline: Instant,
) -> (bool, Result<E::Outcome, LinkError>) {
    if let Some(needs) = exchange.needs()
        && let Err(cause) = installation::check(connection, needs, deadline)
    {
        return (false, Err(cause));
    }
    let mut commands = Vec::new();
    let asks_role = connection.ask_role(&mut commands);
    let asks_installation = installation::ask_again(connection, exchange.needs(), &mut commands);
    if let Err(cause) = send(exchange, connection, commands, deadline) {
        return (exchange.takes_effect_in_parts(), Err(cause));
    }
    let role = if asks_role { connection.receive_role(deadline) } else { Ok(()) };
    let again = match exchange.needs() {
        Some(needs) if asks_installation => {
            role.and_then(|()| installation::receive_again(connection, needs.prefix, deadline))
        }
        _ => role,
    };
    (true, again.and_then(|()| exchange.answers(connection, deadline)))
}

/// Sends the commands of an exchange behind others.
pub(super) fn send<E: Exchange>(
    exchange: &mut E,
    connection: &mut Connection,
    mut commands: Vec<u8>,
    deadline: Instant,
) -> Result<(), LinkError> {
    exchange.commands(connection, &mut commands);
    loop {
        connection.send(&commands, deadline)?;
        commands.clear();
        if !exchange.more_commands(connection, &mut commands) {
            return Ok(());
        }
    }
}

/// The error of a call. `before`: what is known if Redis may have executed it.
pub(super) fn failure(
    settings: &Settings,
    cause: Arc<LinkError>,
    before: Option<&'static Unanswered>,
) -> ExecuteError {
    let address = settings.address.clone();
    match (&*cause, before) {
        (LinkError::Timeout, before) => {
            ExecuteError::TimedOut { unanswered: before.unwrap_or(NOT_SENT), cause: None, silence: None }
        }
        (LinkError::Unanswered(silence), before) => {
            ExecuteError::TimedOut { unanswered: before.unwrap_or(NOT_SENT), cause: None, silence: *silence }
        }
        (LinkError::Installation(InstallationError::Content(refused)), None) => {
            ExecuteError::Content(*refused)
        }
        (LinkError::Installation(_), None) => ExecuteError::Installation { address, cause },
        (LinkError::NoScript, None) => ExecuteError::NoScripts { address },
        (LinkError::Subscription(_), Some(Unanswered { known: Known::Queued, .. })) => {
            ExecuteError::Answered { address, unanswered: Some(UNHEARD), cause }
        }
        (LinkError::Redis(_) | LinkError::Replication(_), Some(Unanswered { known: Known::Unknown, .. })) => {
            ExecuteError::Answered { address, unanswered: Some(UNCERTAIN), cause }
        }
        (LinkError::Redis(_) | LinkError::Subscription(_) | LinkError::Replication(_), unanswered) => {
            ExecuteError::Answered { address, unanswered, cause }
        }
        (_, Some(unanswered)) => ExecuteError::Broken { address, unanswered, cause },
        (_, None) => ExecuteError::Unreachable { address, cause },
    }
}
