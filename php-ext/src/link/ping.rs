//! Whether a master of Redis answers.

use std::time::Instant;

use super::command;
use super::connection::Connection;
use super::error::LinkError;
use super::execute::{Exchange, Place, execute};
use super::installation::Needs;
use super::known::{Known, Unanswered};
use crate::settings::Settings;

/// Asks for the server's role, which every account may (`acl.c`, `CMD_NO_AUTH`), unlike `PING`.
struct Ping;

impl Exchange for Ping {
    type Outcome = ();

    fn place(&self) -> Place {
        Place::Any
    }

    fn commands(&mut self, _connection: &mut Connection, commands: &mut Vec<u8>) {
        command(commands, &[b"HELLO"]);
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<(), LinkError> {
        connection.receive_role(deadline)
    }

    fn is_refusal(&(): &()) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn unanswered(&self) -> &'static Unanswered {
        &Unanswered { known: Known::NotQueued, text: "Redis did not answer" }
    }
}

/// Whether the configured Redis can be used now. It is a round trip on the kept connection, or on a new one.
pub(crate) fn ping(settings: &Settings, deadline: Instant) -> bool {
    execute(settings, &mut Ping, deadline).is_ok()
}
