//! The row of the installation.

use super::quoted;
use crate::store::schema::INSTALLATION;

/// Records which Redis process the log is read from.
pub(in crate::store) fn record_run_id(run_id: Option<&str>) -> String {
    let run_id = run_id.map_or("NULL".to_owned(), quoted);
    format!("UPDATE `{INSTALLATION}` SET `redis_run_id` = {run_id} WHERE `id` = 1")
}
