//! MySQL: tables, columns and their types, the engine, an index, and privileges.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::Finding;
use crate::config::{Column, Config, Identifier};
use crate::store::{Store, StoreError, bounded, schema};

/// A column as `information_schema` describes it.
struct Found {
    data_type: String,
    /// Bytes a text holds.
    bytes: Option<u64>,
    /// The character set of a text.
    characters: Option<String>,
}

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let store = Store::new(&config.mysql, &config.prefix);
    let mut connection = match store.connection().await {
        Ok(connection) => connection,
        Err(error) => {
            return vec![Finding::wrong("MySQL answers", format!("{error} (CHATPUSH_MYSQL_URL)"))];
        }
    };
    let mut findings = vec![Finding::fine("MySQL answers", "")];
    match all(&mut connection, config).await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::wrong("MySQL can be inspected", error.to_string())),
    }
    drop(connection);
    match store.positions().await {
        Ok(_) => findings.push(Finding::fine("partitions", "")),
        Err(error) => findings.push(Finding::wrong("partitions", error.to_string())),
    }
    store.close().await;
    findings
}

async fn all(connection: &mut Conn, config: &Config) -> Result<Vec<Finding>, StoreError> {
    let names = &config.mysql.names;
    let mut findings = Vec::new();
    let mut there = Vec::new();
    for table in schema::tables(names) {
        let (found, is_there) = engine(connection, &table).await?;
        findings.push(found);
        if is_there {
            there.push(table);
        }
    }
    // A missing table has been reported; its columns and privileges would only repeat that.
    let is_there = |name: &Identifier| there.iter().any(|table| table.name == name.bare());
    for column in names.columns().into_iter().filter(|column| is_there(column.table)) {
        findings.push(self::column(connection, column).await?);
    }
    if is_there(&names.offline_message) {
        findings.extend(without_default(connection, config).await?);
        findings.push(index(connection, &names.offline_message, &names.receiver_id).await?);
    }
    for table in &there {
        let sql = "SELECT column_name FROM information_schema.columns \
                   WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position LIMIT 1";
        if let Some(column) = bounded(connection.exec_first::<String, _, _>(sql, (&table.name,))).await? {
            findings.push(privileges(connection, table, &column).await?);
        }
    }
    Ok(findings)
}

/// Whether a table exists, in an engine with transactions.
async fn engine(connection: &mut Conn, table: &schema::Table) -> Result<(Finding, bool), StoreError> {
    let sql = "SELECT COALESCE(engine, 'view') FROM information_schema.tables \
               WHERE table_schema = DATABASE() AND table_name = ?";
    let engine: Option<String> = bounded(connection.exec_first(sql, (&table.name,))).await?;
    let what = format!("table {}", table.name);
    let found = match engine.as_deref() {
        Some(engine) if engine.eq_ignore_ascii_case("InnoDB") => Finding::fine(what, ""),
        Some(engine) => Finding::wrong(
            what,
            format!("engine {engine} has no transactions; ALTER TABLE `{}` ENGINE=InnoDB", table.name),
        ),
        None if table.application => Finding::wrong(
            what,
            "is missing; set its name in [mysql.tables] of chatpush.toml, or run `chatpushd migrate`",
        ),
        None => Finding::wrong(what, "is missing; run `chatpushd migrate`"),
    };
    Ok((found, engine.is_some()))
}

async fn column(connection: &mut Conn, column: Column<'_>) -> Result<Finding, StoreError> {
    let sql = "SELECT data_type, character_octet_length, character_set_name FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let names = (column.table.bare(), column.name.bare());
    let found: Option<(String, Option<u64>, Option<String>)> =
        bounded(connection.exec_first(sql, names)).await?;
    let what = format!("column {}.{}", column.table.bare(), column.name.bare());
    Ok(match found {
        Some((data_type, bytes, characters)) => {
            verdict(what, column.setting, &Found { data_type, bytes, characters })
        }
        None => Finding::wrong(
            what,
            format!("is missing; set {} in chatpush.toml to your column", column.setting),
        ),
    })
}

fn verdict(what: String, setting: &str, Found { data_type, bytes, characters }: &Found) -> Finding {
    const INTEGERS: [&str; 3] = ["int", "bigint", "mediumint"];
    let usable = match setting {
        "mysql.columns.content" => {
            ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"].as_slice()
        }
        "mysql.columns.send_time" => ["datetime", "timestamp"].as_slice(),
        "mysql.columns.unread_count" => ["int", "bigint", "mediumint", "smallint"].as_slice(),
        _ => INTEGERS.as_slice(),
    };
    if !usable.contains(&data_type.as_str()) {
        return Finding::wrong(what, format!("{data_type} must be one of {}", usable.join(", ")));
    }
    if let Some(characters) = characters.as_ref().filter(|characters| *characters != "utf8mb4") {
        return Finding::warning(
            what,
            format!(
                "{characters} cannot hold every text; a message with an emoji is refused and kept in chatpush_dead"
            ),
        );
    }
    match bytes {
        Some(bytes) if *bytes < 65_535 => Finding::warning(
            what,
            format!("{data_type} holds {bytes} bytes; a longer message is refused and kept in chatpush_dead"),
        ),
        _ => Finding::fine(what, data_type.as_str()),
    }
}

/// Columns of the message table that our INSERT omits and that have no default.
async fn without_default(connection: &mut Conn, config: &Config) -> Result<Vec<Finding>, StoreError> {
    let names = &config.mysql.names;
    let ours: Vec<_> = names.columns().iter().map(|column| column.name.bare().to_lowercase()).collect();
    let sql = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
               AND table_name = ? AND is_nullable = 'NO' AND column_default IS NULL AND extra = ''";
    let required: Vec<String> = bounded(connection.exec(sql, (names.offline_message.bare(),))).await?;
    let foreign = required.into_iter().filter(|name| !ours.contains(&name.to_lowercase()));
    Ok(foreign
        .map(|name| {
            Finding::wrong(
                format!("column {}.{name}", names.offline_message.bare()),
                "has no default, so no message can be inserted; give it one",
            )
        })
        .collect())
}

async fn index(
    connection: &mut Conn,
    table: &Identifier,
    receiver: &Identifier,
) -> Result<Finding, StoreError> {
    let sql = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
               AND table_name = ? AND column_name = ? AND seq_in_index = 1";
    let count: Option<u64> = bounded(connection.exec_first(sql, (table.bare(), receiver.bare()))).await?;
    let what = format!("index on {}.{}", table.bare(), receiver.bare());
    Ok(if count.unwrap_or(0) > 0 {
        Finding::fine(what, "")
    } else {
        let fix = format!(
            "is missing, so each read scans the whole table; ALTER TABLE {table} ADD INDEX ({receiver})"
        );
        Finding::warning(what, fix)
    })
}

/// Tries each privilege with a condition that no row meets, in a transaction that is rolled back.
async fn privileges(
    connection: &mut Conn,
    table: &schema::Table,
    column: &str,
) -> Result<Finding, StoreError> {
    let name = &table.name;
    let tries = [
        ("SELECT", format!("SELECT 1 FROM `{name}` WHERE 1 = 0")),
        ("UPDATE", format!("UPDATE `{name}` SET `{column}` = `{column}` WHERE 1 = 0")),
        ("INSERT", format!("INSERT INTO `{name}` (`{column}`) SELECT `{column}` FROM `{name}` WHERE 1 = 0")),
        ("DELETE", format!("DELETE FROM `{name}` WHERE 1 = 0")),
    ];
    let mut missing = Vec::new();
    bounded(connection.query_drop("START TRANSACTION")).await?;
    for (privilege, statement) in tries.into_iter().take(table.privileges) {
        // Other errors, such as a column without a default, are other findings.
        if let Err(StoreError::Denied(_)) = bounded(connection.query_drop(statement)).await {
            missing.push(privilege);
        }
    }
    bounded(connection.query_drop("ROLLBACK")).await?;
    let what = format!("privileges on {name}");
    Ok(if missing.is_empty() {
        Finding::fine(what, "")
    } else {
        Finding::wrong(
            what,
            format!("GRANT {} ON `{name}` to the user of CHATPUSH_MYSQL_URL", missing.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::Verdict;

    fn verdict_of(setting: &str, data_type: &str, bytes: Option<u64>) -> Verdict {
        let characters = bytes.map(|_| "utf8mb4".to_owned());
        verdict("column".to_owned(), setting, &Found { data_type: data_type.to_owned(), bytes, characters })
            .verdict
    }

    #[test]
    fn column_types_must_hold_what_is_written() {
        assert!(matches!(verdict_of("mysql.columns.content", "text", Some(65_535)), Verdict::Fine(_)));
        let latin = Found {
            data_type: "text".to_owned(),
            bytes: Some(65_535),
            characters: Some("latin1".to_owned()),
        };
        let latin_verdict = verdict("column".to_owned(), "mysql.columns.content", &latin);
        assert!(matches!(latin_verdict.verdict, Verdict::Warning(_)));
        assert!(matches!(verdict_of("mysql.columns.content", "varchar", Some(1_020)), Verdict::Warning(_)));
        assert!(matches!(verdict_of("mysql.columns.content", "blob", None), Verdict::Wrong(_)));
        assert!(matches!(verdict_of("mysql.columns.send_time", "date", None), Verdict::Wrong(_)));
        assert!(matches!(verdict_of("mysql.columns.unread_count", "varchar", Some(10)), Verdict::Wrong(_)));
    }
}
