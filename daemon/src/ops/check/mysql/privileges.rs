//! What the MySQL user may do.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::ops::check::Finding;
use crate::store::{StoreError, bounded, schema};

pub(super) async fn check(connection: &mut Conn, table: &schema::Table) -> Result<Vec<Finding>, StoreError> {
    let sql = "SELECT column_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position LIMIT 1";
    match bounded(connection.exec_first::<String, _, _>(sql, (&table.name,))).await? {
        Some(column) => Ok(vec![privileges(connection, table, &column).await?]),
        None => Ok(Vec::new()),
    }
}

/// Tries each privilege with a condition that no row meets, in a transaction that is rolled back.
async fn privileges(
    connection: &mut Conn,
    table: &schema::Table,
    column: &str,
) -> Result<Finding, StoreError> {
    let name = &table.name;
    let tries = [
        ("SELECT", format!("SELECT 1 FROM `{name}` WHERE 1 = 0")),
        ("UPDATE", format!("UPDATE `{name}` SET `{column}` = `{column}` WHERE 1 = 0")),
        ("INSERT", format!("INSERT INTO `{name}` (`{column}`) SELECT `{column}` FROM `{name}` WHERE 1 = 0")),
        ("DELETE", format!("DELETE FROM `{name}` WHERE 1 = 0")),
    ];
    let mut missing = Vec::new();
    bounded(connection.query_drop("START TRANSACTION")).await?;
    for (privilege, statement) in tries.into_iter().take(table.privileges) {
        // Other errors, such as a column without a default, are other findings.
        if let Err(StoreError::Denied(_)) = bounded(connection.query_drop(statement)).await {
            missing.push(privilege);
        }
    }
    bounded(connection.query_drop("ROLLBACK")).await?;
    let what = format!("privileges on {name}");
    Ok(if missing.is_empty() {
        Finding::fine(what, "")
    } else {
        Finding::wrong(
            what,
            format!("GRANT {} ON `{name}` to the user of CHATPUSH_MYSQL_URL", missing.join(", ")),
        )
    })
}
