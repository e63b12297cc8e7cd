//! The search for queued messages that count as applied and are not.
//!
//! A Redis that took over, with an older log and an older clock, may queue messages before a daemon repairs its
//! logs. Their ids are not behind the positions. So a writer that finds another Redis process reads each log from
//! its beginning. An entry up to the position is applied then if its field `u` says that no daemon was there, and
//! that it is not of the process from which MySQL has the positions: what that one queued was applied in order.
//! Every message is looked up in MySQL meanwhile, since others may be applied as well.
//!
//! A daemon may append what clients confirm before it knows that Redis is another one. To apply that twice changes
//! nothing, so all of it is applied again; without it, a message that a client has shown would come again.

use std::collections::BTreeMap;

use chatpush_wire::entry::{self, Entry};
use chatpush_wire::partition::Partition;

use crate::log::batch::LogEntry;
use crate::log::position::Position;

/// How far the logs are searched.
#[derive(Debug, Default)]
pub(super) struct Rescan {
    /// The Redis process from which MySQL has its positions.
    last_run_id: String,
    /// The last entry that was looked at, of each partition that is searched.
    reached: BTreeMap<Partition, Position>,
}

impl Rescan {
    /// A search in these partitions. What the Redis process `last_run_id` has queued is applied.
    pub(super) fn new(partitions: impl IntoIterator<Item = Partition>, last_run_id: String) -> Self {
        let reached = partitions.into_iter().map(|partition| (partition, Position::default())).collect();
        Self { last_run_id, reached }
    }

    /// Whether every log was searched, or none has to be.
    pub(super) fn is_done(&self) -> bool {
        self.reached.is_empty()
    }

    /// Whether this partition is searched.
    pub(super) fn contains(&self, partition: Partition) -> bool {
        self.reached.contains_key(&partition)
    }

    /// After which entry the log of a partition is to be read, which is applied up to `applied`.
    pub(super) fn reached(&self, partition: Partition, applied: Position) -> Position {
        self.reached.get(&partition).copied().unwrap_or(applied)
    }

    /// Whether an entry has to be applied, in a partition that counts as applied up to `applied`.
    pub(super) fn wants(&self, logged: &LogEntry, applied: Position) -> bool {
        logged.position > applied
            || matches!(logged.entry, Ok(Entry::ClientAck { .. }))
            || (logged.messages().next().is_some()
                && entry::unattended(&logged.fields).is_some_and(|run_id| run_id != self.last_run_id))
    }

    /// Records that the log of a partition was read on to `end`, and written; without `end` nothing more was in
    /// it. Returns whether that ends its search: everything up to `applied` was looked at.
    pub(super) fn reach(&mut self, partition: Partition, end: Option<Position>, applied: Position) -> bool {
        if let Some(end) = end.filter(|end| *end < applied) {
            if let Some(reached) = self.reached.get_mut(&partition) {
                *reached = end;
            }
            return false;
        }
        self.reached.remove(&partition).is_some()
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::id::UserIdType;

    use super::*;

    fn position(text: &str) -> Position {
        text.parse().unwrap()
    }

    /// An entry of this kind, and of this Redis process if no daemon was there.
    fn entry(kind: &str, at: &str, run_id: Option<&str>) -> LogEntry {
        let mut fields =
            vec![("v", "1"), ("k", kind), ("r", "5"), ("s", "1"), ("c", "x"), ("i", "id-1"), ("l", "0")];
        fields.extend(run_id.map(|run_id| ("u", run_id)));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let fields: Vec<_> = fields.into_iter().map(own).collect();
        let entry = Entry::decode(&fields, UserIdType::Int);
        assert!(entry.is_ok(), "{entry:?}");
        LogEntry { partition: Partition::new(5).unwrap(), position: position(at), entry, fields }
    }

    #[test]
    fn only_messages_that_another_process_queued_without_a_daemon_are_wanted() {
        let rescan = Rescan::new(Partition::all(), "last".to_owned());
        let wants = |kind, at, run_id| rescan.wants(&entry(kind, at, run_id), position("7-0"));
        assert!(wants("m", "7-0", Some("other")) && wants("m", "6-0", Some("")));
        assert!(!wants("m", "7-0", Some("last")) && !wants("m", "7-0", None));
        assert!(wants("c", "6-0", None), "a confirmation may be applied twice");
        assert!(!wants("z", "7-0", None), "a clear may not: messages may have come since");
        assert!(wants("z", "7-1", None), "what is behind the position is applied as ever");
    }

    #[test]
    fn a_log_is_searched_up_to_its_position_or_its_end() {
        let partition = Partition::new(3).unwrap();
        for end in [Some("7-0"), Some("8-0"), None] {
            let mut rescan = Rescan::new([partition], String::new());
            let applied = position("7-0");
            assert_eq!(rescan.reached(partition, applied), Position::default());
            assert!(!rescan.reach(partition, Some(position("6-0")), applied));
            assert_eq!(rescan.reached(partition, applied), position("6-0"));
            assert!(rescan.reach(partition, end.map(position), applied));
            assert!(rescan.is_done() && rescan.reached(partition, applied) == applied);
            assert!(!rescan.reach(partition, None, applied), "it ends once");
        }
    }
}
