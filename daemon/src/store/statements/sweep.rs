//! Removal of what chatpush's own tables need no longer.

use super::list;
use crate::store::schema;
use crate::store::tables::Tables;

/// Deletes up to `limit` memories of messages that were confirmed before `before_ms`.
pub(in crate::store) fn forget_confirmed(before_ms: u64, limit: u32) -> String {
    format!(
        "DELETE FROM `{}` WHERE `confirmed_ms` < {before_ms} ORDER BY `confirmed_ms` LIMIT {limit}",
        schema::CONFIRMED
    )
}

/// Selects the next `limit` records, and for each whether its row is gone: deleted, or marked as delivered.
pub(in crate::store) fn select_records(tables: &Tables, after: u64, limit: u32) -> String {
    format!(
        "SELECT m.`offline_id`, o.{id} IS NULL FROM \
         (SELECT `offline_id` FROM `{record}` WHERE `offline_id` > {after} ORDER BY `offline_id` LIMIT {limit}) m \
         LEFT JOIN {table} o ON o.{id} = m.`offline_id`{waits} ORDER BY m.`offline_id`",
        id = tables.id,
        record = schema::MESSAGE,
        table = tables.offline_message,
        waits = tables.waits("o."),
    )
}

/// Deletes records.
pub(in crate::store) fn delete_records(ids: &[u64]) -> String {
    format!("DELETE FROM `{}` WHERE `offline_id` IN ({})", schema::MESSAGE, list(ids))
}
