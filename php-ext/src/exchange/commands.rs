//! Commands that only read, sent in one write to each server.

use std::time::Instant;

use chatpush_wire::address::Endpoint;
use chatpush_wire::partition::Partition;

use super::NO_ANSWER;
use super::shares::{self, Placed};
use crate::link::{Answer, Connection, Exchange, LinkError, Needs, Parts, Place, Unanswered, command};

/// Commands that only read, and how the answer to each is read.
pub(crate) struct Commands<T> {
    pub(crate) parts: Vec<PartitionCommand<T>>,
    pub(crate) read: fn(Answer) -> Result<T, LinkError>,
}

/// One of the commands, whose names are in one partition.
pub(crate) struct PartitionCommand<T> {
    partition: Partition,
    command: Vec<String>,
    answer: Option<T>,
    /// Its place among the commands.
    place: usize,
}

impl<T> PartitionCommand<T> {
    pub(crate) const fn new(partition: Partition, command: Vec<String>) -> Self {
        Self { partition, command, answer: None, place: 0 }
    }

    /// What was read, if anything was.
    pub(crate) fn into_answer(self) -> Option<T> {
        self.answer
    }
}

impl<T> Placed for PartitionCommand<T> {
    fn partition(&self) -> Partition {
        self.partition
    }

    fn place(&self) -> usize {
        self.place
    }

    fn set_place(&mut self, place: usize) {
        self.place = place;
    }
}

impl<T> Commands<T> {
    fn left(&mut self) -> impl Iterator<Item = &mut PartitionCommand<T>> {
        self.parts.iter_mut().filter(|part| part.answer.is_none())
    }
}

impl<T> Exchange for Commands<T> {
    type Outcome = ();

    fn place(&self) -> Place {
        let first = self.parts.first().map(|part| Place::Subscribers(part.partition));
        first.unwrap_or(Place::Any)
    }

    fn commands(&mut self, _connection: &mut Connection, commands: &mut Vec<u8>) {
        let length = self.left().flat_map(|part| &part.command).map(|part| part.len() + 8).sum();
        commands.reserve(length);
        for part in self.left() {
            let parts: Vec<_> = part.command.iter().map(String::as_bytes).collect();
            command(commands, &parts);
        }
    }

    fn answers(&mut self, connection: &mut Connection, deadline: Instant) -> Result<(), LinkError> {
        let read = self.read;
        for part in self.left() {
            part.answer = Some(read(connection.receive(deadline)?)?);
        }
        Ok(())
    }

    fn needs(&self) -> Option<Needs<'_>> {
        None
    }

    fn is_refusal((): &()) -> bool {
        false
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn unanswered(&self) -> &'static Unanswered {
        NO_ANSWER
    }
}

impl<T> Parts for Commands<T> {
    fn divide<'a>(
        &mut self,
        master: impl Fn(Partition) -> Option<&'a Endpoint>,
    ) -> Vec<(&'a Endpoint, Self)> {
        let shares = shares::divide(&mut self.parts, |part| part.answer.is_none(), master);
        shares.into_iter().map(|(master, parts)| (master, Self { parts, read: self.read })).collect()
    }

    fn unite(&mut self, share: Self) {
        shares::unite(&mut self.parts, share.parts);
    }

    fn unchecked(&self) -> Vec<Partition> {
        let left = self.parts.iter().filter(|part| part.answer.is_none());
        let mut partitions: Vec<_> = left.map(|part| part.partition).collect();
        partitions.dedup();
        partitions
    }

    fn left(&self) -> Option<Partition> {
        self.parts.iter().find(|part| part.answer.is_none()).map(|part| part.partition)
    }

    fn has_effect(&self) -> bool {
        false
    }

    fn forget_refusals(&mut self) -> bool {
        false
    }
}
