//! `chatpushd migrate`: creates missing tables, and upgrades chatpush's own by numbered changes. It never
//! alters a table of the application.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::installation::InstallationRow;
use super::migrations::{self, LATEST, NewInstallation};
use super::statements::notified::search;
use super::{Store, bounded, schema};
use crate::base::output;
use crate::config::{Config, Mysql, UNREAD};

/// The named lock of a migration. A second `migrate` waits for it.
const LOCK: &str = "CONCAT('chatpush migrate:', MD5(DATABASE()))";

/// How long to wait for that lock, in seconds.
const LOCK_TIMEOUT: u32 = 60;

/// Creates the tables that are missing, applies the changes that are missing, and prints one line for each.
/// Running it again changes nothing.
///
/// # Errors
///
/// When the database cannot be reached, refuses a statement, or belongs to another installation or version.
pub async fn print(config: &Config) -> anyhow::Result<ExitCode> {
    let Some(mysql) = &config.mysql else {
        output::line("nothing to do: storage = \"none\" uses no tables");
        return Ok(ExitCode::SUCCESS);
    };
    let store = Store::new(mysql, &config.prefix);
    let mut connection = store.connection().await.context("cannot connect (CHATPUSH_MYSQL_URL)")?;
    let locked: Option<Option<bool>> =
        bounded(connection.query_first(format!("SELECT GET_LOCK({LOCK}, {LOCK_TIMEOUT})"))).await?;
    ensure!(locked.flatten() == Some(true), "another `chatpushd migrate` is running");
    let mut missing = None;
    for table in schema::tables(&mysql.names).into_iter().filter(|table| table.application) {
        if exists(&mut connection, &table.name).await? {
            output::line(format_args!("{}: is there, left as it is", table.name));
        } else if let Some(create) = &table.create {
            bounded(connection.query_drop(create)).await.with_context(|| {
                format!("cannot create the table {} (the user needs the CREATE privilege)", table.name)
            })?;
            output::line(format_args!("{}: created", table.name));
        } else {
            output::line(format_args!("{}: is missing", table.name));
            missing = Some(table.name);
        }
    }
    upgrade(&mut connection, config, mysql).await?;
    for table in schema::tables(&mysql.names).into_iter().filter(|table| !table.application) {
        // The settings may use a table that they did not use before.
        if let Some(create) = &table.create
            && !exists(&mut connection, &table.name).await?
        {
            bounded(connection.query_drop(create)).await.with_context(|| {
                format!("cannot create the table {} (the user needs the CREATE privilege)", table.name)
            })?;
            output::line(format_args!("{}: created", table.name));
        }
    }
    if mysql.names.notify.is_some() {
        // Nobody is told of what was stored before.
        bounded(connection.query_drop(search::begin_scan(&mysql.names))).await?;
    }
    store.installation_row(&mut connection).await?;
    bounded(connection.disconnect()).await?;
    store.positions().await?;
    store.close().await;
    if let Some(table) = missing {
        anyhow::bail!(
            "{table} is missing and not made, because other names of tables or columns are set: set \
             mysql.tables.user to your table of users, and mysql.columns.unread_count to a column in it; or \
             mysql.tables.user to \"\" if there is none, and chatpush counts in {UNREAD}"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies the changes that are missing.
async fn upgrade(connection: &mut Conn, config: &Config, mysql: &Mysql) -> anyhow::Result<()> {
    let recorded = InstallationRow::read(connection).await?;
    // A `migrate` that was interrupted has made the table of the installation first.
    let is_interrupted = recorded.is_some() || exists(connection, schema::INSTALLATION).await?;
    if !is_interrupted && exists(connection, schema::POSITION).await? {
        anyhow::bail!(
            "{} is there without {}, so nobody knows which version made the tables: restore that table from a \
             backup; or stop every daemon, drop the tables chatpush_*, and run this again",
            schema::POSITION,
            schema::INSTALLATION,
        );
    }
    if let Some(row) = &recorded {
        row.has_user_ids(mysql.names.user_id_type)?;
    }
    let version = recorded.as_ref().map_or(0, |row| row.schema_version);
    ensure!(
        version <= LATEST,
        "the tables of chatpush have version {version} and this chatpushd knows {LATEST}: upgrade chatpushd"
    );
    let new = NewInstallation { names: &mysql.names, uuid: &new_uuid(), prefix: config.prefix.as_str() };
    for migration in migrations::ALL.iter().filter(|migration| migration.version > version) {
        for statement in (migration.statements)(&new) {
            bounded(connection.query_drop(statement)).await.with_context(|| {
                format!("cannot apply change {} (the user needs CREATE and ALTER)", migration.version)
            })?;
        }
        bounded(connection.query_drop(migrations::record(migration.version))).await?;
        output::line(format_args!("version {}: {}", migration.version, migration.summary));
    }
    if version == LATEST {
        output::line(format_args!("version {LATEST}: is there"));
    }
    Ok(())
}

async fn exists(connection: &mut Conn, table: &str) -> anyhow::Result<bool> {
    let find = "SELECT COUNT(*) FROM information_schema.tables \
                WHERE table_schema = DATABASE() AND table_name = ?";
    let found: Option<u64> = bounded(connection.exec_first(find, (table,))).await?;
    Ok(found != Some(0))
}

/// A random UUID (RFC 9562 section 5.4).
fn new_uuid() -> String {
    let random = fastrand::u128(..);
    let bits = (random & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default().to_owned());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = new_uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14], uuid.matches('-').count()), (36, b'4', 4));
        assert!("89ab".contains(char::from(uuid.as_bytes()[19])), "{uuid}");
        assert_ne!(uuid, new_uuid());
    }
}
