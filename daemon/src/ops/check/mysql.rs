//! MySQL: the server's settings, tables, columns, indexes, rows, triggers and privileges.

mod columns;
mod engine;
mod further_columns;
mod history;
mod ids;
mod indexes;
mod privileges;
mod server;
mod tables;
mod time_zone;
mod triggers;

use mysql_async::Conn;

use super::{Finding, installation};
use crate::base::backoff::Failure as _;
use crate::config::{Config, Identifier, Mysql};
use crate::store::{Store, StoreError, bounded, schema};

pub(super) async fn check(config: &Config, mysql: &Mysql) -> Vec<Finding> {
    let store = Store::new(mysql, &config.prefix);
    let mut connection = match store.connection().await {
        Ok(connection) => connection,
        Err(error) => {
            let text = format!("{} (CHATPUSH_MYSQL_URL)", error.report());
            return vec![Finding::wrong("MySQL answers", text)];
        }
    };
    let mut findings = vec![Finding::fine("MySQL answers", "")];
    match all(&mut connection, config, mysql).await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::wrong("MySQL can be inspected", error.report())),
    }
    if let Err(error) = bounded(connection.disconnect()).await {
        tracing::debug!(%error, "cannot close the database connection");
    }
    findings.extend(installation::check(config, &store).await);
    store.close().await;
    findings
}

async fn all(connection: &mut Conn, config: &Config, mysql: &Mysql) -> Result<Vec<Finding>, StoreError> {
    let names = &mysql.names;
    let mut findings = engine::check(connection).await?;
    findings.extend(server::check(connection).await?);
    findings.extend(time_zone::check(connection, mysql).await?);
    let mut there = Vec::new();
    for table in schema::tables(names) {
        let (found, is_there) = tables::check(connection, &table).await?;
        findings.push(found);
        if is_there {
            there.push(table);
        }
    }
    // A missing table has been reported; its columns and privileges would only repeat that.
    let is_there = |name: &Identifier| there.iter().any(|table| table.name == name.bare());
    let mut incomplete = Vec::new();
    for column in names.columns().into_iter().filter(|column| is_there(column.table)) {
        let (found, is_there) = columns::check(connection, names.user_id_type, column).await?;
        findings.push(found);
        if is_there {
            findings.extend(ids::check(connection, names.user_id_type, column).await);
        } else {
            incomplete.push(column.table);
        }
    }
    // Nor can it be said what else such a table lacks.
    let is_complete = |name: &Identifier| !incomplete.contains(&name);
    if is_there(&names.offline_message) {
        if is_complete(&names.offline_message) {
            findings.extend(further_columns::check(connection, mysql).await?);
            findings.push(indexes::of_receivers(connection, mysql).await?);
            findings.extend(history::columns(connection, mysql).await?);
        }
        findings.extend(without_time(config));
        findings.extend(triggers::check(connection, &names.offline_message).await?);
        if there.iter().any(|table| table.name == schema::MESSAGE) {
            findings.extend(history::rows(connection, mysql).await?);
        }
    }
    if !names.own_counter && is_there(&names.user) {
        if is_complete(&names.user) {
            findings.push(indexes::of_users(connection, names).await?);
        }
        findings.extend(triggers::check(connection, &names.user).await?);
    }
    for table in &there {
        findings.push(privileges::check(connection, mysql, table).await?);
    }
    Ok(findings)
}

/// Nobody knows how old a row is that the application has inserted.
fn without_time(config: &Config) -> Option<Finding> {
    let names = &config.mysql.as_ref()?.names;
    let is_unknown = config.mailbox.max_age.is_some() && names.send_time.is_none();
    is_unknown.then(|| {
        Finding::warning(
            "mailbox.max_age_days",
            "rows that the application inserts itself have no time and are never too old: name their column in \
             mysql.columns.send_time",
        )
    })
}
