//! How much one transaction has.

use std::collections::HashMap;

use chatpush_wire::partition::Partition;

use super::LogEntry;

/// Most rows that one transaction touches, unless its first entry alone touches more.
pub(crate) const BATCH_ROWS: usize = 4_096;

/// Most rows of each table that one step of forgetting a user removes.
pub(crate) const FORGOTTEN_ROWS: u32 = 500;

/// Most bytes of entries in one transaction, unless its first entry alone has more. A statement takes up to twice
/// as many.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Drops the entries beyond [`BATCH_ROWS`] or [`BATCH_BYTES`], but never the first entry. Returns the partitions
/// of the dropped entries, which have to be read again.
pub(crate) fn limit_size(entries: &mut Vec<LogEntry>) -> Vec<Partition> {
    let (mut rows, mut bytes) = (0, 0);
    let end = entries.iter().position(|logged| {
        rows += logged.rows();
        bytes += logged.statement_bytes();
        rows > BATCH_ROWS || bytes > BATCH_BYTES
    });
    let cut = end.map_or_else(Vec::new, |end| entries.split_off(end.max(1)));
    cut.iter().map(|logged| logged.partition).collect()
}

/// Leaves each forget alone in its partition, because it is done in steps: drops what follows it, and it and
/// what follows it if something precedes it. Returns the partitions of the dropped entries, which have to be
/// read again.
pub(crate) fn separate_forgets(entries: &mut Vec<LogEntry>) -> Vec<Partition> {
    if entries.iter().all(|logged| logged.forgotten().is_none()) {
        return Vec::new();
    }
    let mut cut = Vec::new();
    // Whether a partition has an entry that stays, and whether that is a forget.
    let mut kept = HashMap::new();
    entries.retain(|logged| {
        let is_forget = logged.forgotten().is_some();
        let stays = match kept.get(&logged.partition) {
            None => true,
            Some(forget) => !forget && !is_forget && !cut.contains(&logged.partition),
        };
        if stays {
            kept.insert(logged.partition, is_forget);
        } else {
            cut.push(logged.partition);
        }
        stays
    });
    cut
}
