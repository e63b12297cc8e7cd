//! What the MySQL user may do.

use mysql_async::Conn;

use crate::config::Mysql;
use crate::ops::check::Finding;
use crate::store::StoreError;
use crate::store::privileges;
use crate::store::schema::Table;

pub(super) async fn check(
    connection: &mut Conn,
    mysql: &Mysql,
    table: &Table,
) -> Result<Finding, StoreError> {
    let what = format!("privileges on {}", table.name);
    let missing = match privileges::missing(connection, mysql, table).await {
        Err(StoreError::Busy(_)) => {
            return Ok(Finding::warning(
                what,
                "somebody holds a lock on the table; run `chatpushd check` again",
            ));
        }
        missing => missing?,
    };
    Ok(if missing.is_empty() {
        Finding::fine(what, "")
    } else {
        Finding::wrong(what, privileges::grant(&table.name, &missing))
    })
}
