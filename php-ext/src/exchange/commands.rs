//! Commands that only read, sent in one write.

use std::time::Instant;

use super::NO_ANSWER;
use crate::link::{Answer, Connection, Exchange, LinkError, Needs, Unanswered, command};

/// Commands that only read, and how the answer to each is read.
pub(crate) struct Commands<T> {
    /// The parts of each command.
    pub(crate) commands: Vec<Vec<String>>,
    pub(crate) read: fn(Answer) -> Result<T, LinkError>,
}

impl<T> Exchange for Commands<T> {
    /// What was read, in the order of the commands.
    type Outcome = Vec<T>;

    fn commands(&mut self, _connection: &mut Connection, commands: &mut Vec<u8>) {
        commands.reserve(self.commands.iter().flatten().map(|part| part.len() + 8).sum());
        for parts in &self.commands {
            let parts: Vec<_> = parts.iter().map(String::as_bytes).collect();
            command(commands, &parts);
        }
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<Vec<T>, LinkError> {
        self.commands.iter().map(|_| (self.read)(connection.receive(deadline)?)).collect()
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn is_refusal(_outcome: &Vec<T>) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn unanswered(&self) -> &'static Unanswered {
        NO_ANSWER
    }
}
