//! Columns of the message table that chatpush does not know by its own names: those of `[mysql.values]` and
//! `[mysql.history]`, and those that nothing sets.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::{Mysql, Names};
use crate::ops::check::{Finding, Status};
use crate::store::column_values::{self, BadValue, Tried};
use crate::store::tables::{GENERATED, Tables, is_generated};
use crate::store::{StoreError, bounded};

/// Name, whether it may be NULL, its default, what else it is, and its data type.
type ColumnRow = (String, String, Option<String>, String, String);

pub(super) async fn check(connection: &mut Conn, mysql: &Mysql) -> Result<Vec<Finding>, StoreError> {
    let names = &mysql.names;
    let sql = "SELECT column_name, is_nullable, column_default, LOWER(extra), LOWER(data_type) \
               FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position";
    let columns: Vec<ColumnRow> = bounded(connection.exec(sql, (names.offline_message.bare(),))).await?;
    let mut findings = without_default(mysql, &columns);
    for (column, _) in &mysql.values {
        let found = columns.iter().find(|(name, ..)| name.eq_ignore_ascii_case(column.bare()));
        match found {
            None => findings.push(missing(names, column.bare(), &format!("mysql.values.{}", column.bare()))),
            Some((_, _, _, extra, _)) if is_generated(extra) => {
                findings.push(Finding::wrong(title(names, column.bare()), GENERATED));
            }
            Some(_) => {}
        }
    }
    findings.extend(history(mysql, &columns));
    if findings.iter().all(|finding| finding.status != Status::Wrong)
        && let Some(bad) = bad_value(connection, mysql).await?
    {
        findings.retain(|finding| finding.name != bad.name);
        findings.push(bad);
    }
    Ok(findings)
}

/// A value that does not serve in its column.
async fn bad_value(connection: &mut Conn, mysql: &Mysql) -> Result<Option<Finding>, StoreError> {
    let tables = match Tables::inspect(connection, mysql).await {
        Ok((tables, _)) => tables,
        // Whatever hinders that is another finding.
        Err(StoreError::Unfit(_) | StoreError::Unavailable(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(match column_values::find_bad(connection, &tables).await? {
        Tried::Bad(BadValue { column, text }) => Some(Finding::wrong(title(&mysql.names, &column), text)),
        Tried::Fine | Tried::Unknown => None,
    })
}

fn title(names: &Names, column: &str) -> String {
    format!("column {}.{column}", names.offline_message.bare())
}

fn missing(names: &Names, column: &str, setting: &str) -> Finding {
    Finding::wrong(title(names, column), format!("is missing; correct {setting} in chatpush.toml"))
}

/// Columns that our INSERT omits and that have no default.
fn without_default(mysql: &Mysql, columns: &[ColumnRow]) -> Vec<Finding> {
    let is_set = |name: &str| {
        let values = mysql.values.iter().map(|(column, _)| column);
        let history = mysql.history.iter().map(|history| &history.column);
        mysql.names.is_column_of_messages(name)
            || values.chain(history).any(|column| column.bare().eq_ignore_ascii_case(name))
    };
    let required = columns.iter().filter(|(name, nullable, default, extra, _)| {
        nullable == "NO" && default.is_none() && extra.is_empty() && !is_set(name)
    });
    let wrong = |(name, ..): &ColumnRow| {
        Finding::wrong(
            title(&mysql.names, name),
            format!(
                "has no default, so no message can be inserted; set a value for new rows in chatpush.toml, such as \
                 [mysql.values] {name} = \"0\""
            ),
        )
    };
    required.map(wrong).collect()
}

/// The column of a history.
fn history(mysql: &Mysql, columns: &[ColumnRow]) -> Option<Finding> {
    let history = mysql.history.as_ref()?;
    let column = history.column.bare();
    let name = title(&mysql.names, column);
    let Some((_, nullable, _, extra, data_type)) =
        columns.iter().find(|(name, ..)| name.eq_ignore_ascii_case(column))
    else {
        return Some(missing(&mysql.names, column, "mysql.history.column"));
    };
    let is_time = matches!(data_type.as_str(), "datetime" | "timestamp" | "date" | "time" | "year");
    Some(if is_generated(extra) {
        Finding::wrong(name, GENERATED)
    } else if history.waiting.is_none() && nullable == "NO" {
        Finding::wrong(
            name,
            "cannot be NULL, which would be its value in rows that wait; set mysql.history.waiting to the value \
             that such rows have",
        )
    } else if history.value.is_none()
        && matches!(data_type.as_str(), "tinyint" | "smallint" | "mediumint" | "bit")
    {
        Finding::wrong(name, format!("{data_type} holds no time; set mysql.history.value to a number"))
    } else if is_time
        && history.value.as_ref().is_some_and(|value| !value.starts_with(|c: char| c.is_ascii_digit()))
    {
        Finding::wrong(name, format!("{data_type} holds no text; set mysql.history.value to \"now\""))
    } else if matches!(data_type.as_str(), "text" | "mediumtext" | "longtext" | "tinytext" | "blob" | "json")
    {
        Finding::wrong(
            name,
            format!("{data_type} cannot stand in the index that is needed; use a shorter type"),
        )
    } else if extra.contains("on update") {
        Finding::warning(
            name,
            "changes with every UPDATE of a row by your application, and the row does not wait any more then",
        )
    } else if means_read(column) {
        Finding::warning(
            name,
            "is named as if it meant that a message was READ; chatpush sets it as soon as a client has received \
             the message, whether or not anybody has looked at it",
        )
    } else {
        Finding::fine(name, data_type.as_str())
    })
}

/// Whether a name speaks of reading.
fn means_read(column: &str) -> bool {
    let column = column.to_lowercase();
    column.split('_').any(|word| {
        matches!(word, "read" | "isread" | "seen" | "readed" | "readat" | "viewed" | "unread" | "seenat")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_reading_are_recognised() {
        for name in ["is_read", "isRead", "read_at", "seen", "unread"] {
            assert!(means_read(name), "{name}");
        }
        for name in ["delivered_at", "status", "ready", "spread"] {
            assert!(!means_read(name), "{name}");
        }
    }
}
