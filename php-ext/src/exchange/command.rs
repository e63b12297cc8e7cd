//! One command with one answer.

use std::time::Instant;

use super::{NO_ANSWER, UNKNOWN};
use crate::link::{Answer, Connection, Exchange, LinkError, Needs, Place, Unanswered, command};

/// A command and how its answer is read.
pub(crate) struct Command<'a, T> {
    pub(crate) place: Place,
    pub(crate) parts: &'a [&'a [u8]],
    pub(crate) repeatable: bool,
    /// Whether it only reads.
    pub(crate) query: bool,
    pub(crate) read: fn(Answer) -> Result<T, LinkError>,
}

impl<T> Exchange for Command<'_, T> {
    type Outcome = T;

    fn place(&self) -> Place {
        self.place
    }

    fn commands(&mut self, _connection: &mut Connection, commands: &mut Vec<u8>) {
        commands.reserve(self.parts.iter().map(|part| part.len() + 16).sum());
        command(commands, self.parts);
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<T, LinkError> {
        (self.read)(connection.receive(deadline)?)
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn is_refusal(_outcome: &T) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn unanswered(&self) -> &'static Unanswered {
        if self.query { NO_ANSWER } else { UNKNOWN }
    }
}
