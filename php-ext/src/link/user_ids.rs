//! The type of the installation's user ids, which the partition and the channel of a user depend on.

use std::time::Instant;

use chatpush_wire::id::UserIdType;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::answer::Answer;
use super::connection::Connection;
use super::error::LinkError;
use super::execute::{Exchange, Place, execute};
use super::execute_error::ExecuteError;
use super::installation::{InstallationError, Needs};
use super::known::{Known, Unanswered};
use super::slot;
use super::{cluster, command};
use crate::fault_injection::{self, Promise};
use crate::settings::Settings;

/// The type of the installation's user ids. Usually it is known of the kept connection, and nothing is sent.
///
/// # Errors
///
/// Also if Redis has no record of the installation.
pub(crate) fn user_id_type(settings: &Settings, deadline: Instant) -> Result<UserIdType, ExecuteError> {
    slot::user_id_type(settings)
        .or_else(|| cluster::user_id_type(settings))
        .map_or_else(|| execute(settings, &mut Reading(&settings.prefix), deadline), Ok)
}

/// The same, read from Redis even if it is known.
///
/// # Errors
///
/// Also if Redis has no record of the installation.
pub(crate) fn user_id_type_again(settings: &Settings, deadline: Instant) -> Result<UserIdType, ExecuteError> {
    slot::forget_installation();
    cluster::forget_installation();
    user_id_type(settings, deadline)
}

/// The same. `None`: Redis has no installation and no daemon, so nobody is connected.
///
/// # Errors
///
/// Also if daemons are there and the record is not: they use another database number, since channels have none; or
/// Redis has lost its data, and they restore the record with their next heartbeat.
pub(crate) fn user_id_type_if_installed(
    settings: &Settings,
    deadline: Instant,
) -> Result<Option<UserIdType>, ExecuteError> {
    match user_id_type(settings, deadline) {
        Err(missing) if is_missing(&missing) => {
            if execute(settings, &mut Daemons(&settings.prefix), deadline)? == 0 {
                return Ok(None);
            }
            // One that has just started wrote the record before it subscribed.
            user_id_type(settings, deadline).map(Some)
        }
        read => read.map(Some),
    }
}

fn is_missing(error: &ExecuteError) -> bool {
    error.is_installation(|cause| matches!(cause, InstallationError::Missing { .. }))
}

/// What is known when either question has no answer.
const UNANSWERED: &Unanswered = &Unanswered { known: Known::NotQueued, text: "Redis did not answer" };

/// Needs the record and no command of its own.
struct Reading<'a>(&'a Prefix);

impl Exchange for Reading<'_> {
    type Outcome = UserIdType;

    fn place(&self) -> Place {
        Place::Record
    }

    fn commands(&mut self, _connection: &mut Connection, _commands: &mut Vec<u8>) {}

    fn answers(&mut self, connection: &mut Connection, _deadline: Instant) -> Result<UserIdType, LinkError> {
        // It was read before this.
        let known = connection.installation(self.0).map(|record| record.user_id_type);
        let any = fault_injection::breaks(Promise::Database).then(UserIdType::default);
        known.or(any).ok_or(LinkError::TooShort)
    }

    fn is_refusal(_outcome: &UserIdType) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn needs(&self) -> Option<Needs<'_>> {
        Some(Needs { prefix: self.0, content: None, storage: false, entries: 0 })
    }

    fn unanswered(&self) -> &'static Unanswered {
        UNANSWERED
    }
}

/// How many daemons of the installation are subscribed. Each has a channel in every partition; any does.
struct Daemons<'a>(&'a Prefix);

impl Exchange for Daemons<'_> {
    type Outcome = i64;

    fn place(&self) -> Place {
        Place::Subscribers(Partition::of_text(""))
    }

    fn commands(&mut self, _connection: &mut Connection, commands: &mut Vec<u8>) {
        let channel = self.0.daemons_channel(Partition::of_text(""));
        command(commands, &[b"PUBSUB", b"SHARDNUMSUB", channel.as_bytes()]);
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<i64, LinkError> {
        let count = connection.receive(deadline)?.into_array()?.into_iter().nth(1);
        count.map_or(Err(LinkError::TooShort), Answer::into_number)
    }

    fn is_refusal(_outcome: &i64) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn unanswered(&self) -> &'static Unanswered {
        UNANSWERED
    }
}
