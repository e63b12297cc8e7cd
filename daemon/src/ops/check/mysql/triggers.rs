//! Triggers on the application's tables.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::Identifier;
use crate::ops::check::Finding;
use crate::store::{StoreError, bounded};

/// MySQL shows a trigger only to who has the TRIGGER privilege.
pub(super) async fn check(connection: &mut Conn, table: &Identifier) -> Result<Vec<Finding>, StoreError> {
    let sql = "SELECT trigger_name, action_timing, event_manipulation FROM information_schema.triggers \
               WHERE event_object_schema = DATABASE() AND event_object_table = ? ORDER BY trigger_name";
    let triggers: Vec<(String, String, String)> = bounded(connection.exec(sql, (table.bare(),))).await?;
    let warning = |(name, timing, event)| {
        Finding::warning(
            format!("trigger {name}"),
            format!(
                "runs {timing} {event} on {}: where it fails, messages are refused and kept in chatpush_dead, and \
                 it must change no column of chatpush",
                table.bare()
            ),
        )
    };
    Ok(triggers.into_iter().map(warning).collect())
}
