//! Which logs are read next, after which entry, and how much of each.

use std::collections::BTreeMap;

use chatpush_wire::partition::Partition;

use super::Term;
use crate::log::batch::LogEntry;
use crate::log::position::Position;
use crate::writer::deferred::Deferred;

/// Most entries that the first read of a term takes from a partition. How long they are is not known yet.
pub(super) const FIRST_ENTRIES_PER_READ: usize = 8;

/// Most entries that a read takes from a partition.
const ENTRIES_PER_READ: usize = 64;

/// A read beyond this size is followed by smaller ones.
const READ_BYTES: usize = 16 * 1024 * 1024;

impl Term<'_> {
    /// The partitions that may be read now, and after which entry. They are rotated each turn: the limit of a
    /// batch cuts off the last ones.
    pub(super) fn ready_partitions(
        &self,
        deferred: [&Deferred; 2],
        turn: usize,
    ) -> Vec<(Partition, Position)> {
        let is_ready = |partition| deferred.iter().all(|deferred| deferred.is_ready(partition));
        let free = self.applied.iter().filter(|(partition, _)| is_ready(**partition));
        let mut ready: Vec<_> = free
            .map(|(partition, applied)| (*partition, self.rescan.reached(*partition, *applied)))
            .collect();
        let first = turn.checked_rem(ready.len()).unwrap_or(0);
        ready.rotate_left(first);
        ready
    }

    /// Records up to where each of these logs was read and written; none if nothing was left in it.
    pub(super) fn searched(&mut self, ends: &BTreeMap<Partition, Option<Position>>) {
        for (partition, end) in ends {
            let applied = self.position(*partition);
            if self.rescan.reach(*partition, *end, applied) {
                self.trimming.add(*partition, applied, 0, 0);
            }
        }
    }
}

/// How many entries the next read takes, so that it has about [`READ_BYTES`] at most.
pub(super) fn next_entries_per_read(count: usize, read: &[LogEntry]) -> usize {
    let bytes: usize = read.iter().map(LogEntry::bytes).sum();
    if bytes <= READ_BYTES / 4 {
        (count * 2).min(ENTRIES_PER_READ)
    } else if bytes > READ_BYTES {
        (count / 2).max(1)
    } else {
        count
    }
}
