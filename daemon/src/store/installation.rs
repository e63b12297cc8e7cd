//! Which installation the database belongs to.

use std::sync::Arc;

use std::time::Duration;

use chatpush_wire::id::UserIdType;
use chatpush_wire::installation::ContentColumn;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::error::UnavailableCause;
use super::migrations::LATEST;
use super::rows::column;
use super::schema::{self, INSTALLATION, Table};
use super::tables::Tables;
use super::{Store, StoreError, bounded, user_columns, writer_lock};
use crate::base::fault_injection::{self, Promise};
use crate::config::Names;

/// The row of `chatpush_installation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstallationRow {
    /// The installation's UUID.
    pub(crate) uuid: String,
    /// The start of its names in Redis.
    pub(crate) prefix: String,
    /// The version of our tables.
    pub(crate) schema_version: u16,
    /// The Redis process that the last writer read from.
    pub(crate) redis_run_id: Option<String>,
    /// The name of the type of user ids. None in older tables.
    pub(crate) user_id_type: Option<String>,
}

/// The installation as the database describes it.
#[derive(Clone, Debug)]
pub(crate) struct FoundInstallation {
    /// What is recorded.
    pub(crate) row: InstallationRow,
    /// What the column with the content holds.
    pub(crate) content: ContentColumn,
    /// The application's tables.
    pub(crate) tables: Arc<Tables>,
}

impl InstallationRow {
    /// Reads the row; none if `chatpushd migrate` has not made it.
    pub(crate) async fn read(connection: &mut Conn) -> Result<Option<Self>, StoreError> {
        // Older tables have fewer columns.
        let sql = format!("SELECT * FROM `{INSTALLATION}` WHERE `id` = 1");
        let row: Option<Row> = match bounded(connection.query_first(sql)).await {
            Err(error) if error.code() == Some(NO_SUCH_TABLE) => None,
            found => found?,
        };
        let Some(mut row) = row else { return Ok(None) };
        Ok(Some(Self {
            uuid: column(&mut row, "uuid")?,
            prefix: column(&mut row, "prefix")?,
            schema_version: column(&mut row, "schema_version")?,
            redis_run_id: column(&mut row, "redis_run_id")?,
            user_id_type: column(&mut row, "user_id_type").ok(),
        }))
    }

    /// Whether the tables are made for user ids of this type.
    ///
    /// # Errors
    ///
    /// [`StoreError::Foreign`], which names both types.
    pub(crate) fn has_user_ids(&self, own: UserIdType) -> Result<(), StoreError> {
        match &self.user_id_type {
            Some(found) if found != own.name() => Err(StoreError::Foreign(format!(
                "the tables of chatpush are made for user ids of type {found} and user_id_type \
                 (CHATPUSH_USER_ID_TYPE) is {own}: set it to {found}. To change it for good, wait until the logs are \
                 applied, stop every daemon, delete the record in Redis (redis-cli DEL {}:installation), drop \
                 the tables chatpush_*, run `chatpushd migrate`, and restart PHP-FPM and other PHP processes that \
                 live long",
                self.prefix,
            ))),
            _ => Ok(()),
        }
    }
}

/// MySQL manual, "Server Error Message Reference": `ER_NO_SUCH_TABLE`.
pub(crate) const NO_SUCH_TABLE: u16 = 1146;

/// The same: `ER_BAD_FIELD_ERROR`, a column is missing.
pub(crate) const BAD_FIELD: u16 = 1054;

/// The connection of the daemon that writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterSession {
    /// Its id in MySQL.
    pub(crate) id: u64,
    /// How long it has executed nothing; zero if this account may not know.
    pub(crate) silence: Duration,
}

impl Store {
    /// The connection of the daemon that writes now, if there is one.
    ///
    /// # Errors
    ///
    /// When MySQL cannot be asked.
    pub(crate) async fn writer_connection(&self) -> Result<Option<WriterSession>, StoreError> {
        let (mut connection, generation) = self.pool.take().await?;
        let writer = match writer_lock::holder(&mut connection).await? {
            Some(id) => {
                // Everybody may see the connections of their own account (MySQL manual, "SHOW PROCESSLIST").
                let sql = format!("SELECT `time` FROM information_schema.processlist WHERE `id` = {id}");
                let seconds: Option<Option<i64>> = bounded(connection.query_first(sql)).await?;
                let seconds = seconds.flatten().and_then(|seconds| u64::try_from(seconds).ok());
                Some(WriterSession { id, silence: Duration::from_secs(seconds.unwrap_or(0)) })
            }
            None => None,
        };
        self.pool.keep(connection, generation);
        Ok(writer)
    }

    /// The installation that the database belongs to.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached, belongs to another prefix, has tables of another version or for other
    /// user ids, or the application's columns do not tell users apart as Redis does.
    pub(crate) async fn installation(&self) -> Result<FoundInstallation, StoreError> {
        let (mut connection, generation) = self.pool.take().await?;
        let found = self.installation_over(&mut connection).await?;
        self.pool.keep(connection, generation);
        Ok(found)
    }

    /// As [`Store::installation`], over this connection.
    pub(super) async fn installation_over(
        &self,
        connection: &mut Conn,
    ) -> Result<FoundInstallation, StoreError> {
        let row = self.installation_row(connection).await?;
        require_own_tables(connection, self.names()).await?;
        user_columns::check(connection, self.names()).await?;
        self.privileged.require(connection, self.mysql()).await?;
        let (tables, mut content) = Tables::load(connection, self.mysql()).await?;
        self.tried_values.require(connection, &tables).await?;
        self.character_sets.describe(connection, &mut content).await?;
        let tables = Arc::new(tables);
        *self.found_tables() = Some(tables.clone());
        Ok(FoundInstallation { row, content, tables })
    }

    /// The installation's row, if the database belongs to this prefix and has tables of this version.
    pub(crate) async fn installation_row(
        &self,
        connection: &mut Conn,
    ) -> Result<InstallationRow, StoreError> {
        let not_migrated = |text| StoreError::Unavailable(UnavailableCause::NotMigrated(text));
        let found = InstallationRow::read(connection)
            .await?
            .ok_or_else(|| not_migrated("the tables of chatpush are missing".to_owned()))?;
        let own = self.prefix();
        if found.prefix != own && !fault_injection::breaks(Promise::Prefix) {
            let prefix = &found.prefix;
            return Err(StoreError::Foreign(format!(
                "the database belongs to the installation with the prefix {prefix}, not {own} \
                 (CHATPUSH_PREFIX): two installations cannot share a database"
            )));
        }
        match found.schema_version {
            older @ ..LATEST => Err(not_migrated(format!(
                "the tables of chatpush have version {older} and this chatpushd needs {LATEST}"
            ))),
            LATEST => {
                found.has_user_ids(self.names().user_id_type)?;
                Ok(found)
            }
            newer => Err(StoreError::Foreign(format!(
                "the tables of chatpush have version {newer} and this chatpushd knows {LATEST}: \
                 upgrade chatpushd"
            ))),
        }
    }
}

/// Makes sure that our own tables are there: the settings may use some that they did not use before.
async fn require_own_tables(connection: &mut Conn, names: &Names) -> Result<(), StoreError> {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
               AND table_name LIKE 'chatpush%'";
    let found: Vec<String> = bounded(connection.query(sql)).await?;
    let own = schema::tables(names).into_iter().filter(|table| !table.application);
    let is_missing = |table: &Table| !found.iter().any(|found| found.eq_ignore_ascii_case(&table.name));
    match own.map(|table| (is_missing(&table), table.name)).find(|(is_missing, _)| *is_missing) {
        Some((_, name)) => {
            let text = format!("the table {name} is missing");
            Err(StoreError::Unavailable(UnavailableCause::NotMigrated(text)))
        }
        None => Ok(()),
    }
}
