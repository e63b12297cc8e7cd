//! Ids in the application's columns that no call can name.

use chatpush_wire::id::UserIdType;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::Column;
use crate::ops::check::Finding;
use crate::store::bounded;

/// How many rows are looked at, so that a large table costs no more.
const ROWS: u32 = 10_000;

/// How many ids are named.
const NAMED: u32 = 3;

/// Warns of texts that can be no user id, such as a name with a space: whoever has one cannot connect, and gets no
/// message.
pub(super) async fn check(connection: &mut Conn, ids: UserIdType, column: Column<'_>) -> Option<Finding> {
    if ids != UserIdType::Text || !column.has_user_ids() {
        return None;
    }
    let Column { table, name, .. } = column;
    let sql = format!(
        "SELECT DISTINCT CAST(id AS CHAR) FROM (SELECT {name} AS id FROM {table} LIMIT {ROWS}) AS some \
         WHERE id NOT REGEXP '^[A-Za-z0-9._@-]{{1,64}}$' LIMIT {NAMED}"
    );
    // A privilege that the account lacks is another finding.
    let found: Vec<String> = bounded(connection.query(sql)).await.ok()?;
    if found.is_empty() {
        return None;
    }
    let title = format!("ids in {}.{}", table.bare(), name.bare());
    let named = found.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ");
    let rule = ids.rule();
    Some(Finding::warning(
        title,
        format!("{named} can be no user id, which is {rule}: nobody can send to it"),
    ))
}
