//! Columns and their types.

use chatpush_wire::id::UserIdType;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::Column;
use crate::ops::check::Finding;
use crate::store::tables::{GENERATED, is_generated, no_ids};
use crate::store::user_columns::{self, UserColumn};
use crate::store::{StoreError, bounded};

/// A column as `information_schema` describes it.
#[derive(Clone, Debug, Default)]
struct Found {
    data_type: String,
    /// With length and sign: `int(10) unsigned`.
    column_type: String,
    /// `auto_increment`, `on update current_timestamp()`, `STORED GENERATED`.
    extra: String,
    /// Bytes a text holds.
    bytes: Option<u64>,
    /// The character set of a text.
    characters: Option<String>,
    /// Its collation.
    collation: Option<String>,
    /// How many characters a text may have.
    length: Option<u64>,
    /// The foreign keys that a column of user ids is a part of.
    foreign_keys: Vec<String>,
}

/// The fields of [`Found`], but for the foreign keys.
type ColumnRow = (String, String, String, Option<u64>, Option<String>, Option<String>, Option<u64>);

/// The finding, and whether there is such a column.
pub(super) async fn check(
    connection: &mut Conn,
    ids: UserIdType,
    column: Column<'_>,
) -> Result<(Finding, bool), StoreError> {
    let sql = "SELECT LOWER(data_type), LOWER(column_type), LOWER(extra), character_octet_length, \
               character_set_name, LOWER(collation_name), character_maximum_length \
               FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let names = (column.table.bare(), column.name.bare());
    let found: Option<ColumnRow> = bounded(connection.exec_first(sql, names)).await?;
    Ok(if let Some((data_type, column_type, extra, bytes, characters, collation, length)) = found {
        let foreign_keys = if column.has_user_ids() {
            user_columns::foreign_keys(connection, column).await?
        } else {
            Vec::new()
        };
        let found =
            Found { data_type, column_type, extra, bytes, characters, collation, length, foreign_keys };
        (verdict(column, ids, &found), true)
    } else {
        let fix = format!("is missing; set {} in chatpush.toml to your column", column.setting);
        (Finding::wrong(title(column), fix), false)
    })
}

fn title(column: Column<'_>) -> String {
    format!("column {}.{}", column.table.bare(), column.name.bare())
}

fn verdict(column: Column<'_>, ids: UserIdType, found: &Found) -> Finding {
    let Column { table, name, setting } = column;
    let Found { data_type, column_type, extra, bytes, characters, .. } = found;
    let usable = match setting {
        "mysql.columns.content" => {
            ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"].as_slice()
        }
        "mysql.columns.send_time" => ["datetime", "timestamp", "int", "bigint"].as_slice(),
        "mysql.columns.unread_count" => ["int", "bigint", "mediumint", "smallint", "tinyint"].as_slice(),
        "mysql.columns.id" => ["int", "bigint", "mediumint"].as_slice(),
        _ => [].as_slice(),
    };
    if !column.has_user_ids() && !usable.contains(&data_type.as_str()) {
        return Finding::wrong(title(column), format!("{data_type} must be one of {}", usable.join(", ")));
    }
    let user = column.has_user_ids().then(|| UserColumn {
        data_type: data_type.clone(),
        collation: found.collation.clone(),
        characters: found.length,
        is_auto_increment: extra.contains("auto_increment"),
        foreign_keys: found.foreign_keys.clone(),
    });
    if let Some(problem) = user.as_ref().and_then(|user| user_columns::problem(ids, column, user)) {
        return Finding::wrong(title(column), problem);
    }
    if is_generated(extra) {
        return Finding::wrong(title(column), GENERATED);
    }
    if setting == "mysql.columns.id" && !extra.contains("auto_increment") {
        return Finding::wrong(title(column), no_ids(table, name, column_type));
    }
    let warning = match setting {
        "mysql.columns.content" => text(*bytes, characters.as_deref(), data_type),
        "mysql.columns.send_time" if extra.contains("on update") => Some(format!(
            "changes with every UPDATE of a row, and so does the time that clients see; \
             ALTER TABLE {table} MODIFY {name} {column_type} NOT NULL DEFAULT CURRENT_TIMESTAMP"
        )),
        "mysql.columns.unread_count" => {
            largest(column_type).filter(|_| *data_type != "mediumint").map(|most| {
                format!(
                    "{column_type} ends at {most}, where the counter stays; \
                 ALTER TABLE {table} MODIFY {name} int NOT NULL DEFAULT 0"
                )
            })
        }
        "mysql.columns.send_time" => None,
        _ => largest(column_type)
            .map(|most| {
                format!("{column_type} ends at {most}, and larger ids are refused; make it int or bigint")
            })
            .or_else(|| user_columns::shortage(ids, user.as_ref()?)),
    };
    match warning {
        Some(warning) => Finding::warning(title(column), warning),
        None => Finding::fine(title(column), data_type.as_str()),
    }
}

/// What a content column cannot hold.
fn text(bytes: Option<u64>, characters: Option<&str>, data_type: &str) -> Option<String> {
    if let Some(characters) = characters.filter(|characters| *characters != "utf8mb4") {
        let refused = match characters {
            "utf8mb3" | "utf8" | "ascii" => "is refused before it is shown",
            _ => {
                "may be shown to receivers who are connected, then refused by MySQL and kept in chatpush_dead"
            }
        };
        return Some(format!("{characters} cannot hold every text; a message with an emoji {refused}"));
    }
    bytes
        .filter(|bytes| *bytes < 65_535)
        .map(|bytes| format!("{data_type} holds {bytes} bytes; a longer message is refused"))
}

/// The largest value of a type that is smaller than `int` (MySQL manual, "Integer Types").
fn largest(column_type: &str) -> Option<u32> {
    let signed = match column_type.split(['(', ' ']).next()? {
        "tinyint" => 127,
        "smallint" => 32_767,
        "mediumint" => 8_388_607,
        _ => return None,
    };
    Some(if column_type.contains("unsigned") { signed * 2 + 1 } else { signed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Identifier;
    use crate::ops::check::Status;

    fn status(setting: &'static str, column_type: &str, extra: &str, bytes: Option<u64>) -> Status {
        let (table, name) = (Identifier::new("t").unwrap(), Identifier::new("c").unwrap());
        let found = Found {
            data_type: column_type.split(['(', ' ']).next().unwrap().to_owned(),
            column_type: column_type.to_owned(),
            extra: extra.to_owned(),
            bytes,
            characters: bytes.map(|_| "utf8mb4".to_owned()),
            ..Found::default()
        };
        verdict(Column { table: &table, name: &name, setting }, UserIdType::Int, &found).status
    }

    #[test]
    fn column_types_must_hold_what_is_written() {
        let content = |column_type, bytes| status("mysql.columns.content", column_type, "", bytes);
        assert_eq!(content("text", Some(65_535)), Status::Ok);
        assert_eq!(content("varchar(255)", Some(1_020)), Status::Warning);
        assert_eq!(content("blob", None), Status::Wrong);
        assert!(text(Some(65_535), Some("latin1"), "text").is_some());
        assert_eq!(status("mysql.columns.send_time", "date", "", None), Status::Wrong);
        let changing = "default_generated on update current_timestamp()";
        assert_eq!(status("mysql.columns.send_time", "datetime", "", None), Status::Ok);
        assert_eq!(status("mysql.columns.sender_id", "mediumint(9)", "", None), Status::Warning);
        assert_eq!(status("mysql.columns.user_id", "int(11)", "", None), Status::Ok);
        assert_eq!(status("mysql.columns.sender_id", "int", "stored generated", None), Status::Wrong);
        assert_eq!(status("mysql.columns.send_time", "timestamp", changing, None), Status::Warning);
    }

    #[test]
    fn small_counters_are_warned_of() {
        let counter = |column_type| status("mysql.columns.unread_count", column_type, "", None);
        assert_eq!(counter("smallint(6)"), Status::Warning);
        assert_eq!(counter("tinyint(3) unsigned"), Status::Warning);
        assert_eq!(counter("mediumint"), Status::Ok);
        assert_eq!(counter("int unsigned"), Status::Ok);
        assert_eq!(counter("varchar(10)"), Status::Wrong);
        assert_eq!(largest("smallint(5) unsigned"), Some(65_535));
    }

    #[test]
    fn ids_must_be_generated() {
        assert_eq!(status("mysql.columns.id", "int(11)", "auto_increment", None), Status::Ok);
        assert_eq!(status("mysql.columns.id", "int(11)", "", None), Status::Wrong);
    }
}
