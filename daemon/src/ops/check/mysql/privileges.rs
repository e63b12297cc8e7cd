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
    let missing = privileges::missing(connection, mysql, table).await?;
    Ok(if missing.is_empty() {
        Finding::fine(what, "")
    } else {
        Finding::wrong(what, privileges::grant(&table.name, &missing))
    })
}
