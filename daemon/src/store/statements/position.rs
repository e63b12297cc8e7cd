//! Positions, and the fence that they are.

use std::fmt::Write as _;

use chatpush_wire::partition::Partition;

use super::list;
use crate::base::fault_injection::{self, Promise};
use crate::log::batch::PositionUpdate;
use crate::store::read_pool::READ_ONLY;
use crate::store::schema;

/// Moves each position by compare-and-set. If it is not where the batch begins, it would become NULL, and the
/// column is NOT NULL: in strict mode the statement fails (MySQL manual, "UPDATE Statement"), and the
/// statements after it are not executed. A missing row would go unnoticed, so each term checks at its start
/// that there is one for each partition.
pub(in crate::store) fn advance(updates: &[PositionUpdate]) -> String {
    let fenced = !fault_injection::breaks(Promise::Fence);
    let moved = |PositionUpdate { from, to, .. }: &PositionUpdate| {
        if fenced { format!("IF(`log_id` = '{from}', '{to}', NULL)") } else { format!("'{to}'") }
    };
    update(updates, moved)
}

/// Fails if the server refuses writes: a subquery in place of a value must have one row (MySQL manual, "The
/// Subquery as Scalar Operand"). It is a query, because a replica that repeats statements does refuse writes.
pub(in crate::store) fn require_writable() -> String {
    format!("SELECT IF({READ_ONLY}, (SELECT 1 UNION SELECT 2), 1)")
}

/// Fails if a position is not where [`advance`] has moved it: the transaction was taken away meanwhile, and
/// the statements since then were in another one.
pub(in crate::store) fn verify(updates: &[PositionUpdate]) -> String {
    update(updates, |PositionUpdate { to, .. }| format!("IF(`log_id` = '{to}', `log_id`, NULL)"))
}

/// Fails, as [`advance`] does, if the statement before has not affected that many rows.
pub(in crate::store) fn verify_rows(update: &PositionUpdate, rows: usize) -> String {
    // A record that replaces another counts twice.
    let equals = if fault_injection::breaks(Promise::Fence) { ">=" } else { "=" };
    format!(
        "UPDATE `{}` SET `log_id` = IF(ROW_COUNT() {equals} {rows}, `log_id`, NULL) WHERE `partition_id` = {}",
        schema::POSITION,
        update.partition
    )
}

fn update(updates: &[PositionUpdate], value: impl Fn(&PositionUpdate) -> String) -> String {
    let mut set = String::new();
    for update in updates {
        // Writing to a String cannot fail; a position is digits and a hyphen.
        let _ = write!(set, " WHEN {} THEN {}", update.partition, value(update));
    }
    let partitions: Vec<_> = updates.iter().map(|update| update.partition).collect();
    format!(
        "UPDATE `{}` SET `log_id` = CASE `partition_id`{set} END WHERE `partition_id` IN ({})",
        schema::POSITION,
        list(&partitions)
    )
}

/// Selects the position of each partition.
pub(in crate::store) fn select() -> String {
    format!("SELECT `partition_id`, `log_id` FROM `{}` ORDER BY `partition_id`", schema::POSITION)
}

/// Selects the position of one partition.
pub(in crate::store) fn select_one(partition: Partition) -> String {
    format!("SELECT `log_id` FROM `{}` WHERE `partition_id` = {partition}", schema::POSITION)
}
