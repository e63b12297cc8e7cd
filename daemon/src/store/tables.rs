//! The application's tables as they were found: what their rows hold, and which of them wait.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use chatpush_wire::installation::ContentColumn;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::adoption::{Adoption, Decision};
use super::column_values::ColumnValue;
use super::error::UnavailableCause;
use super::schema::MESSAGE;
use super::statements::quoted;
use super::{StoreError, bounded};
use crate::config::{Column, History, Identifier, Mysql, Names};

/// The tables, with the names that the operator gave them.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    names: Names,
    /// What the column of times holds.
    pub(super) time: TimeColumn,
    /// How confirmed rows are marked; none if they are deleted.
    pub(super) marking: Option<Marking>,
    /// Columns of new rows with a constant value, each after a comma.
    pub(super) constant_columns: String,
    /// The values of these, each after a comma.
    pub(super) constants: String,
    /// Every configured value: of rows that were delivered and of those that wait, then the constants.
    pub(super) values: Vec<ColumnValue>,
    /// Rows up to this id are left alone, because the operator has said so; but not those that chatpush has
    /// stored.
    pub(super) kept: u64,
    /// Whether there are such.
    pub(super) has_own_kept: bool,
    /// Our own tables that are there, whatever the settings are.
    own: BTreeSet<String>,
}

/// What the column of times holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeColumn {
    /// A date and time in the session's time zone.
    DateTime,
    /// Seconds since 1970.
    Seconds,
    /// There is no such column.
    Missing,
}

/// How a row of a history is marked, in SQL.
#[derive(Clone, Debug)]
pub(super) struct Marking {
    column: Identifier,
    /// The value of a row that was delivered.
    delivered: String,
    /// The value of a row that waits; none for NULL.
    waiting: Option<String>,
}

impl Marking {
    /// The assignment that marks a row.
    pub(super) fn set(&self, alias: &str) -> String {
        format!("{alias}{} = {}", self.column, self.delivered)
    }

    /// The assignment by which a row waits again.
    pub(super) fn unset(&self) -> String {
        format!("{} = {}", self.column, self.waiting.as_deref().unwrap_or("NULL"))
    }
}

impl Deref for Tables {
    type Target = Names;

    fn deref(&self) -> &Names {
        &self.names
    }
}

/// A column as `information_schema` describes it.
struct Found {
    /// Without length and sign.
    data_type: String,
    /// With them.
    column_type: String,
    /// With that and the collation.
    collated_type: String,
    /// Whether it gives new rows their ids.
    gives_ids: bool,
    /// Whether it is generated from others.
    is_generated: bool,
    content: ContentColumn,
}

impl Tables {
    /// The condition that a row of the message table waits, behind another condition.
    pub(crate) fn waits(&self, alias: &str) -> String {
        self.marking.as_ref().map_or_else(String::new, |Marking { column, waiting, .. }| match waiting {
            Some(waiting) => format!(" AND {alias}{column} = {waiting}"),
            None => format!(" AND {alias}{column} IS NULL"),
        })
    }

    /// The condition that a row of a receiver is not left alone. `receiver` is an SQL literal, or a column.
    pub(super) fn not_kept(&self, alias: &str, receiver: &str) -> String {
        let Self { kept, .. } = self;
        let id = format!("{alias}{}", self.id);
        if !self.has_own_kept {
            return format!("{id} > {kept}");
        }
        format!(
            "({id} > {kept} OR {id} IN \
             (SELECT `offline_id` FROM `{MESSAGE}` WHERE `receiver_id` = {receiver} AND `offline_id` <= {kept}))"
        )
    }

    /// Whether one of our own tables is there, although the settings may not use it now.
    pub(super) fn has(&self, own: &str) -> bool {
        self.own.contains(own)
    }

    /// The values of the column of a history in rows that wait, and in those that were delivered.
    pub(super) fn history_values(&self) -> Option<(&ColumnValue, &ColumnValue)> {
        match self.values.as_slice() {
            [delivered, waiting, ..] if self.marking.is_some() => Some((waiting, delivered)),
            _ => None,
        }
    }

    /// Counts no rows that are left alone.
    pub(crate) fn keep(&mut self, adoption: &Adoption) {
        if adoption.decision == Decision::Keep.word() {
            self.kept = adoption.highest;
        }
    }

    /// Reads how the tables are.
    ///
    /// # Errors
    ///
    /// When one is missing, cannot be used with these settings, or has rows of which nobody has said what becomes
    /// of them.
    pub(super) async fn load(
        connection: &mut Conn,
        mysql: &Mysql,
    ) -> Result<(Self, ContentColumn), StoreError> {
        use_time_zone(connection, mysql).await?;
        let (mut tables, content) = Self::inspect(connection, mysql).await?;
        let adoption = Adoption::read(connection, mysql.names.offline_message.bare()).await?;
        let Some(adoption) = adoption.filter(|adoption| adoption.is_for(mysql)) else {
            let table = mysql.names.offline_message.bare();
            return Err(StoreError::Unavailable(UnavailableCause::NotAdopted(table.to_owned())));
        };
        tables.kept = adoption.kept(connection, mysql, &tables).await?;
        tables.has_own_kept = Adoption::has_own(connection, tables.kept).await?;
        Ok((tables, content))
    }

    /// As [`Tables::load`], whatever rows they have.
    pub(crate) async fn inspect(
        connection: &mut Conn,
        mysql: &Mysql,
    ) -> Result<(Self, ContentColumn), StoreError> {
        let names = &mysql.names;
        engines(connection, names).await?;
        let columns = columns(connection, &names.offline_message).await?;
        let found = |name: &Identifier, setting: &str| {
            columns
                .get(&name.bare().to_lowercase())
                .ok_or_else(|| missing(&names.offline_message, name, setting))
        };
        for column in names.columns().into_iter().filter(|column| column.table == &names.offline_message) {
            writable(column.table, column.name, column.setting, found(column.name, column.setting)?)?;
        }
        let key = found(&names.id, "mysql.columns.id")?;
        if !key.gives_ids {
            let (table, name) = (&names.offline_message, &names.id);
            let problem = no_ids(table, name, &key.column_type);
            return Err(StoreError::Unfit(format!(
                "the key column {}.{} {problem} (mysql.columns.id)",
                table.bare(),
                name.bare()
            )));
        }
        if !names.own_counter {
            let users = self::columns(connection, &names.user).await?;
            let of_users = names.columns().into_iter().filter(|column| column.table == &names.user);
            for Column { table, name, setting } in of_users {
                let Some(found) = users.get(&name.bare().to_lowercase()) else {
                    return Err(missing(table, name, setting));
                };
                if name.is(&names.unread_count) {
                    writable(table, name, setting, found)?;
                }
            }
        }
        let content = found(&names.content, "mysql.columns.content")?.content.clone();
        let time = match &names.send_time {
            None => TimeColumn::Missing,
            Some(name) if is_integer(&found(name, "mysql.columns.send_time")?.data_type) => {
                TimeColumn::Seconds
            }
            Some(_) => TimeColumn::DateTime,
        };
        let value =
            |setting: String, column: &Identifier, value: Option<&str>, otherwise: fn(&str) -> &str| {
                let found = found(column, &setting)?;
                writable(&names.offline_message, column, &setting, found)?;
                let literal = value.map_or_else(
                    || otherwise(&found.data_type).to_owned(),
                    |value| literal(value, &found.data_type),
                );
                let (column, value) = (column.clone(), value.map(str::to_owned));
                let column_type = found.collated_type.clone();
                Ok::<_, StoreError>(ColumnValue { setting, column, value, literal, column_type })
            };
        let mut values = Vec::new();
        if let Some(History { column, value: delivered, waiting }) = &mysql.history {
            let now = |data_type: &str| if is_number(data_type) { "UNIX_TIMESTAMP()" } else { "NOW()" };
            values.push(value("mysql.history.value".to_owned(), column, delivered.as_deref(), now)?);
            values.push(value("mysql.history.waiting".to_owned(), column, waiting.as_deref(), |_| "NULL")?);
        }
        for (column, constant) in &mysql.values {
            let setting = format!("mysql.values.{}", column.bare());
            values.push(value(setting, column, Some(constant), |_| "NULL")?);
        }
        let marking = mysql.history.as_ref().and(values.split_at_checked(2)).and_then(|(of_history, _)| {
            let [delivered, waiting] = of_history else { return None };
            Some(Marking {
                column: delivered.column.clone(),
                delivered: delivered.literal.clone(),
                waiting: waiting.value.as_ref().map(|_| waiting.literal.clone()),
            })
        });
        let written = || values.iter().skip(usize::from(marking.is_some()));
        let tables = Self {
            names: names.clone(),
            time,
            constant_columns: behind_commas(written().map(|value| value.column.to_string())),
            constants: behind_commas(written().map(|value| value.literal.clone())),
            marking,
            values,
            kept: 0,
            has_own_kept: false,
            own: own_tables(connection).await?,
        };
        Ok((tables, content))
    }
}

/// Our own tables that this account may use.
async fn own_tables(connection: &mut Conn) -> Result<BTreeSet<String>, StoreError> {
    let sql = "SELECT table_name FROM information_schema.tables \
               WHERE table_schema = DATABASE() AND LEFT(table_name, 9) = 'chatpush_'";
    Ok(bounded(connection.query::<String, _>(sql)).await?.into_iter().collect())
}

/// The items, each behind a comma.
fn behind_commas(items: impl Iterator<Item = String>) -> String {
    items.flat_map(|item| [", ".to_owned(), item]).collect()
}

fn missing(table: &Identifier, column: &Identifier, setting: &str) -> StoreError {
    let (table, column) = (table.bare(), column.bare());
    StoreError::Unfit(format!("the column {table}.{column} is missing ({setting})"))
}

/// Makes sure that a column takes values.
fn writable(table: &Identifier, column: &Identifier, setting: &str, found: &Found) -> Result<(), StoreError> {
    if !found.is_generated {
        return Ok(());
    }
    let (table, column) = (table.bare(), column.bare());
    Err(StoreError::Unfit(format!("the column {table}.{column} {GENERATED} ({setting})")))
}

/// What is wrong with a generated column.
pub(crate) const GENERATED: &str = "is generated, so no value can be written; name another column";

/// Whether a column is generated from others, by its `extra` in lower case. MySQL 8 says `DEFAULT_GENERATED` of a
/// default that is an expression.
pub(crate) fn is_generated(extra: &str) -> bool {
    extra.contains("stored generated") || extra.contains("virtual generated")
}

/// What is wrong with a key column without `AUTO_INCREMENT`, and the fix.
pub(crate) fn no_ids(table: &Identifier, name: &Identifier, column_type: &str) -> String {
    format!(
        "has no AUTO_INCREMENT, so no message can be stored; \
         ALTER TABLE {table} MODIFY {name} {column_type} NOT NULL AUTO_INCREMENT"
    )
}

/// Uses the configured time zone once, so that one that the server does not know is reported by its name.
pub(crate) async fn use_time_zone(connection: &mut Conn, mysql: &Mysql) -> Result<(), StoreError> {
    /// MySQL manual, "Server Error Message Reference": `ER_UNKNOWN_TIME_ZONE`.
    const UNKNOWN_TIME_ZONE: u16 = 1298;
    match bounded(connection.query_drop(time_zone(mysql))).await {
        Err(error) if error.code() == Some(UNKNOWN_TIME_ZONE) => Err(StoreError::Unfit(format!(
            "the server does not know the time zone {} (mysql.time_zone): write an offset such as +08:00, or \
             load its tables of time zones with mysql_tzinfo_to_sql",
            mysql.time_zone.as_deref().unwrap_or_default()
        ))),
        done => done,
    }
}

/// Takes the time zone of `send_time` for this session. The server's may have changed since the session began.
pub(super) fn time_zone(mysql: &Mysql) -> String {
    let zone = mysql.time_zone.as_deref().map_or("@@global.time_zone".to_owned(), quoted);
    format!("SET SESSION time_zone = {zone}")
}

/// Makes sure that the tables are there, in engines that have transactions.
async fn engines(connection: &mut Conn, names: &Names) -> Result<(), StoreError> {
    let sql = "SELECT t.table_name, t.table_type, COALESCE(t.engine, ''), COALESCE(e.transactions, '') \
               FROM information_schema.tables t \
               LEFT JOIN information_schema.engines e ON e.engine = t.engine \
               WHERE t.table_schema = DATABASE() AND t.table_name IN (?, ?)";
    let tables = (names.offline_message.bare(), names.user.bare());
    let found: Vec<(String, String, String, String)> = bounded(connection.exec(sql, tables)).await?;
    for name in [tables.0, tables.1] {
        let table = found.iter().find(|(found, ..)| found.eq_ignore_ascii_case(name));
        let Some((_, kind, engine, transactions)) = table else {
            let text = format!("the table {name} is missing");
            return Err(StoreError::Unavailable(UnavailableCause::NotMigrated(text)));
        };
        if kind == "VIEW" {
            return Err(StoreError::Unfit(format!(
                "{name} is a view: name the table behind it in [mysql.tables]"
            )));
        }
        if transactions == "NO" {
            return Err(StoreError::Unfit(format!(
                "the table {name} has the engine {engine}, which has no transactions: \
                 ALTER TABLE `{name}` ENGINE=InnoDB"
            )));
        }
    }
    Ok(())
}

/// Name, type, the type with its length, that with its collation, and extra properties of a column; of a text, its
/// character set, bytes and characters.
type ColumnRow = (String, String, String, String, String, Option<String>, Option<u64>, Option<u64>);

/// The columns of a table, by name in lower case.
async fn columns(connection: &mut Conn, table: &Identifier) -> Result<BTreeMap<String, Found>, StoreError> {
    let sql = "SELECT LOWER(column_name), LOWER(data_type), LOWER(column_type), \
               CONCAT_WS(' COLLATE ', column_type, collation_name), LOWER(extra), character_set_name, \
               character_octet_length, character_maximum_length FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ?";
    let found: Vec<ColumnRow> = bounded(connection.exec(sql, (table.bare(),))).await?;
    Ok(found
        .into_iter()
        .map(|(name, data_type, column_type, collated_type, extra, charset, bytes, characters)| {
            let content = match (charset, bytes, characters) {
                (Some(charset), Some(most_bytes), Some(most_characters)) => {
                    ContentColumn { charset, most_bytes, most_characters, characters: None }
                }
                _ => ContentColumn::default(),
            };
            let gives_ids = extra.contains("auto_increment");
            let is_generated = is_generated(&extra);
            (name, Found { data_type, column_type, collated_type, gives_ids, is_generated, content })
        })
        .collect())
}

/// Whether a type holds whole numbers.
fn is_integer(data_type: &str) -> bool {
    matches!(data_type, "tinyint" | "smallint" | "mediumint" | "int" | "bigint")
}

fn is_number(data_type: &str) -> bool {
    is_integer(data_type) || matches!(data_type, "decimal" | "float" | "double" | "bit")
}

/// A configured value as an SQL literal. A number is not quoted where the column holds numbers: a BIT would take
/// the text for its bits. A truth value is a number there, as it is in MySQL.
fn literal(value: &str, data_type: &str) -> String {
    match value {
        "true" if is_number(data_type) => return "1".to_owned(),
        "false" if is_number(data_type) => return "0".to_owned(),
        _ => {}
    }
    if is_number(data_type) && value.parse::<f64>().is_ok_and(f64::is_finite) {
        value.to_owned()
    } else {
        quoted(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_of_their_column() {
        assert_eq!(literal("1", "tinyint"), "1");
        assert_eq!(literal("1", "bit"), "1");
        assert_eq!(literal("1", "varchar"), "'1'");
        assert_eq!(literal("o'clock", "enum"), r"'o\'clock'");
        assert_eq!(literal("1; DROP TABLE x", "int"), "'1; DROP TABLE x'");
        assert_eq!(literal("inf", "int"), "'inf'");
        assert_eq!((literal("true", "bit"), literal("false", "tinyint")), ("1".to_owned(), "0".to_owned()));
        assert_eq!(literal("true", "enum"), "'true'");
    }
}
