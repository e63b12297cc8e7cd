//! Whether a table exists, in an engine with transactions.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::ops::check::Finding;
use crate::store::{StoreError, bounded, schema};

/// The finding, and whether the table can be inspected further.
pub(super) async fn check(
    connection: &mut Conn,
    table: &schema::Table,
) -> Result<(Finding, bool), StoreError> {
    let sql = "SELECT COALESCE(engine, 'view') FROM information_schema.tables \
               WHERE table_schema = DATABASE() AND table_name = ?";
    let engine: Option<String> = bounded(connection.exec_first(sql, (&table.name,))).await?;
    let name = format!("table {}", table.name);
    let found = match engine.as_deref() {
        Some(engine) if engine.eq_ignore_ascii_case("InnoDB") => Finding::fine(name, ""),
        Some("view") => Finding::wrong(name, "is a view; name the table behind it in [mysql.tables]"),
        Some(engine) => Finding::wrong(
            name,
            format!("engine {engine} has no transactions; ALTER TABLE `{}` ENGINE=InnoDB", table.name),
        ),
        None if table.application => Finding::wrong(
            name,
            "is missing; set its name in [mysql.tables] of chatpush.toml, or run `chatpushd migrate`",
        ),
        None => Finding::wrong(name, "is missing; run `chatpushd migrate`"),
    };
    Ok((found, engine.is_some_and(|engine| engine != "view")))
}
