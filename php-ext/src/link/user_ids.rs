//! The type of the installation's user ids, which the partition and the channel of a user depend on.

use std::time::Instant;

use chatpush_wire::id::UserIdType;
use chatpush_wire::key::Prefix;

use super::connection::Connection;
use super::error::LinkError;
use super::execute::{Exchange, execute};
use super::execute_error::ExecuteError;
use super::installation::{InstallationError, Needs};
use super::known::{Known, Unanswered};
use super::slot;
use crate::settings::Settings;

/// The type of the installation's user ids. Usually it is known of the kept connection, and nothing is sent. `None`:
/// Redis has no installation, so nobody is connected.
pub(crate) fn user_id_type(
    settings: &Settings,
    deadline: Instant,
) -> Result<Option<UserIdType>, ExecuteError> {
    if let Some(known) = slot::user_id_type(settings) {
        return Ok(Some(known));
    }
    match execute(settings, &mut Reading(&settings.prefix), deadline) {
        Err(ExecuteError::Installation { cause, .. })
            if matches!(&*cause, LinkError::Installation(InstallationError::Missing { .. })) =>
        {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Needs the record and no command of its own.
struct Reading<'a>(&'a Prefix);

impl Exchange for Reading<'_> {
    type Outcome = UserIdType;

    fn commands(&mut self, _connection: &mut Connection, _commands: &mut Vec<u8>) {}

    fn answers(&mut self, connection: &mut Connection, _deadline: Instant) -> Result<UserIdType, LinkError> {
        // It was read before this.
        connection.installation(self.0).map(|record| record.user_id_type).ok_or(LinkError::TooShort)
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
        &Unanswered { known: Known::NotQueued, text: "Redis did not answer" }
    }
}
