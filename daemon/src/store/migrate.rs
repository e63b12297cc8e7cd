//! `chatpushd migrate`: creates missing tables and alters nothing.

use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable;

use super::{Store, bounded, schema};
use crate::config::Mysql;

/// Creates the tables that are missing and prints one line for each table. Running it again changes nothing.
///
/// # Errors
///
/// When the database cannot be reached, refuses a statement, or was created for another number of partitions.
pub async fn print(mysql: &Mysql) -> anyhow::Result<ExitCode> {
    let store = Store::new(mysql);
    let mut connection = store.connection().await.context("cannot connect (CHATPUSH_MYSQL_URL)")?;
    for table in schema::tables(&mysql.names) {
        let find = "SELECT COUNT(*) FROM information_schema.tables \
                    WHERE table_schema = DATABASE() AND table_name = ?";
        let found: Option<u64> = bounded(connection.exec_first(find, (&table.name,))).await?;
        if found == Some(0) {
            bounded(connection.query_drop(&table.create)).await.with_context(|| {
                format!("cannot create the table {} (the user needs the CREATE privilege)", table.name)
            })?;
            println!("{}: created", table.name);
        } else if table.application {
            println!("{}: is there, left as it is", table.name);
        } else {
            println!("{}: is there", table.name);
        }
    }
    bounded(connection.query_drop(schema::positions())).await?;
    let count: Option<u64> =
        bounded(connection.query_first(format!("SELECT COUNT(*) FROM `{}`", schema::POSITION))).await?;
    drop(connection);
    store.close().await;
    anyhow::ensure!(
        count == Some(u64::from(Partition::COUNT)),
        "{} holds {} partitions and this chatpushd works with {}: it belongs to another version",
        schema::POSITION,
        count.unwrap_or(0),
        Partition::COUNT,
    );
    Ok(ExitCode::SUCCESS)
}
