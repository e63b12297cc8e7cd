//! What the MySQL account must be allowed to do, and whether it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::schema::{self, Table};
use super::{StoreError, bounded};
use crate::config::Mysql;

/// Whether this process knows that the account has every privilege. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(super) struct Privileged(Arc<AtomicBool>);

impl Privileged {
    /// Makes sure, once, that the account has every privilege: without one, messages would be accepted and never
    /// stored. While somebody holds a lock on a table that cannot be tried, and the writer meets what is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`], which names the GRANT that is missing.
    pub(super) async fn require(&self, connection: &mut Conn, mysql: &Mysql) -> Result<(), StoreError> {
        if self.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        for table in schema::tables(&mysql.names) {
            match missing(connection, mysql, &table).await {
                Ok(missing) if missing.is_empty() => {}
                Ok(missing) => {
                    let grant = grant(&table.name, &missing);
                    return Err(StoreError::Unfit(format!("a privilege is missing: {grant}")));
                }
                Err(StoreError::Busy(_)) => break,
                Err(error) => return Err(error),
            }
        }
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// The statement that gives what is missing.
pub(crate) fn grant(table: &str, missing: &[&str]) -> String {
    format!("GRANT {} ON `{table}` to the user of CHATPUSH_MYSQL_URL", missing.join(", "))
}

/// The privileges on a table that the account lacks. Each is tried with a condition that no row meets, in a
/// transaction that is rolled back.
///
/// # Errors
///
/// [`StoreError::Busy`] if the table is locked for a second.
pub(crate) async fn missing(
    connection: &mut Conn,
    mysql: &Mysql,
    table: &Table,
) -> Result<Vec<&'static str>, StoreError> {
    bounded(connection.query_drop("SET SESSION lock_wait_timeout = 1")).await?;
    let missing = try_each(connection, mysql, table).await;
    bounded(connection.query_drop("ROLLBACK; SET SESSION lock_wait_timeout = DEFAULT")).await?;
    missing
}

async fn try_each(
    connection: &mut Conn,
    mysql: &Mysql,
    table: &Table,
) -> Result<Vec<&'static str>, StoreError> {
    let tries = tries(mysql, table, first_column(connection, table).await?);
    let statements: Vec<_> = tries.iter().map(|(_, statement)| statement.as_str()).collect();
    // As a rule nothing is missing, and one round trip shows it.
    let together = format!("START TRANSACTION; {}", statements.join("; "));
    match bounded(connection.query_drop(together)).await {
        Ok(()) => return Ok(Vec::new()),
        Err(error) if hinders(&error) => return Err(error),
        Err(_) => {}
    }
    let mut missing = Vec::new();
    for (privilege, statement) in tries {
        match bounded(connection.query_drop(statement)).await {
            Err(StoreError::Denied(_)) => missing.push(privilege),
            Err(error) if hinders(&error) => return Err(error),
            // Others, such as a column that is missing or a server that is read-only, are found elsewhere.
            Ok(()) | Err(_) => {}
        }
    }
    Ok(missing)
}

/// Whether nothing can be tried after this error: the connection has failed, or somebody holds a lock.
const fn hinders(error: &StoreError) -> bool {
    error.code().is_none() || matches!(error, StoreError::Busy(_))
}

/// The first column of a table that this account may see.
async fn first_column(connection: &mut Conn, table: &Table) -> Result<Option<String>, StoreError> {
    let sql = "SELECT column_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position LIMIT 1";
    let found: Option<String> = bounded(connection.exec_first(sql, (&table.name,))).await?;
    Ok(found.map(|name| format!("`{name}`")))
}

/// A statement for each privilege that is needed on a table. Of the application's tables it uses the columns that
/// chatpush uses: the account may have a privilege on these alone.
fn tries(mysql: &Mysql, table: &Table, first: Option<String>) -> Vec<(&'static str, String)> {
    let used: BTreeMap<_, _> = mysql
        .names
        .columns()
        .into_iter()
        .filter(|column| column.table.bare() == table.name)
        .map(|column| (column.setting, column.name.to_string()))
        .collect();
    let all = if used.is_empty() {
        "*".to_owned()
    } else {
        used.values().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let marked = || mysql.history.as_ref().map(|history| history.column.to_string());
    let changed = match (used.get("mysql.columns.unread_count"), used.get("mysql.columns.content")) {
        (Some(counter), _) => counter.clone(),
        (None, Some(content)) => marked().unwrap_or_else(|| content.clone()),
        (None, None) => first.unwrap_or_else(|| "`id`".to_owned()),
    };
    // MySQL gives a row its id.
    let inserted: Vec<_> = used.iter().filter(|(setting, _)| **setting != "mysql.columns.id").collect();
    let inserted = inserted.into_iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
    let (named, inserted) =
        if used.is_empty() { (String::new(), all.clone()) } else { (format!(" ({inserted})"), inserted) };
    let name = format!("`{}`", table.name);
    let tries = [
        ("SELECT", format!("SELECT {all} FROM {name} WHERE 1 = 0")),
        ("UPDATE", format!("UPDATE {name} SET {changed} = {changed} WHERE 1 = 0")),
        ("INSERT", format!("INSERT INTO {name}{named} SELECT {inserted} FROM {name} WHERE 1 = 0")),
        ("DELETE", format!("DELETE FROM {name} WHERE 1 = 0")),
    ];
    tries.into_iter().take(table.privileges).collect()
}
