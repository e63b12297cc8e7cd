//! The application's columns of user ids: whether they tell users apart as this installation does.

use chatpush_wire::id::{UserId, UserIdType};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{StoreError, bounded};
use crate::config::{Column, Names};

/// The column of our own tables for user ids of a type.
pub(super) const fn own(ids: UserIdType) -> &'static str {
    match ids {
        UserIdType::Int => "int unsigned",
        UserIdType::BigInt => "bigint",
        UserIdType::Text => TEXT,
    }
}

/// The column of the application's tables for user ids of a type, as `chatpushd migrate` makes them.
pub(super) const fn application(ids: UserIdType) -> &'static str {
    match ids {
        UserIdType::Int => "int(11)",
        UserIdType::BigInt => "bigint",
        UserIdType::Text => TEXT,
    }
}

const TEXT: &str = "varchar(64) CHARACTER SET ascii COLLATE ascii_bin";

/// A column of user ids as `information_schema` describes it.
#[derive(Clone, Debug)]
pub(crate) struct UserColumn {
    /// Without length and sign.
    pub(crate) data_type: String,
    /// The collation of a text.
    pub(crate) collation: Option<String>,
    /// How many characters a text may have.
    pub(crate) characters: Option<u64>,
    /// Whether it numbers its rows.
    pub(crate) is_auto_increment: bool,
    /// The foreign keys that it is a part of, with their tables.
    pub(crate) foreign_keys: Vec<String>,
}

/// Why a column does not serve for ids of this type, with the fix.
pub(crate) fn problem(ids: UserIdType, column: Column<'_>, found: &UserColumn) -> Option<String> {
    let Column { table, name, .. } = column;
    let data_type = found.data_type.as_str();
    let usable = match ids {
        UserIdType::Int => ["int", "bigint", "mediumint"].as_slice(),
        UserIdType::BigInt => ["bigint"].as_slice(),
        UserIdType::Text => ["varchar", "char"].as_slice(),
    };
    // A MODIFY drops what it does not name.
    let numbers = if found.is_auto_increment && ids != UserIdType::Text { " AUTO_INCREMENT" } else { "" };
    let fix = format!(
        "ALTER TABLE {table} MODIFY {name} {} NOT NULL{numbers}{}",
        application(ids),
        before_alter(&found.foreign_keys)
    );
    // The ids may be names, which a column of numbers would turn into 0.
    if ids != UserIdType::Text && ["varchar", "char"].contains(&data_type) {
        return Some(format!(
            "{data_type} must be one of {} for user ids of type {ids} (user_id_type); if your ids are texts, set \
             user_id_type = \"text\" (CHATPUSH_USER_ID_TYPE) before `chatpushd migrate`: do not make numbers of them",
            usable.join(", ")
        ));
    }
    if !usable.contains(&data_type) {
        return Some(format!(
            "{data_type} must be one of {} for user ids of type {ids} (user_id_type); {fix}",
            usable.join(", ")
        ));
    }
    let collation = found.collation.as_deref()?;
    (ids == UserIdType::Text && !collation.ends_with("_bin")).then(|| {
        format!(
            "{collation} takes Bob and bob for one user, and they are two (user_id_type = \"text\"); {fix}"
        )
    })
}

/// MySQL refuses to change a column that is a part of a foreign key (errors 1832 and 1833).
fn before_alter(foreign_keys: &[String]) -> String {
    if foreign_keys.is_empty() {
        return String::new();
    }
    format!(
        " (drop the foreign keys {} first, change the columns on both sides alike, and add the keys again)",
        foreign_keys.join(", ")
    )
}

/// The foreign keys that a column is a part of, on either side.
///
/// # Errors
///
/// When MySQL cannot be asked.
pub(crate) async fn foreign_keys(
    connection: &mut Conn,
    column: Column<'_>,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT table_name, constraint_name FROM information_schema.key_column_usage \
               WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL \
               AND (table_name = ? AND column_name = ? OR referenced_table_schema = DATABASE() \
               AND referenced_table_name = ? AND referenced_column_name = ?) ORDER BY 1, 2 LIMIT 20";
    let (table, name) = (column.table.bare(), column.name.bare());
    let found: Vec<(String, String)> = bounded(connection.exec(sql, (table, name, table, name))).await?;
    Ok(found.into_iter().map(|(table, key)| format!("`{key}` of `{table}`")).collect())
}

/// What a column cannot hold, although it serves.
pub(crate) fn shortage(ids: UserIdType, found: &UserColumn) -> Option<String> {
    let most =
        found.characters.filter(|most| ids == UserIdType::Text && *most < UserId::TEXT_BYTES as u64)?;
    Some(format!(
        "{} holds ids of up to {most} characters, and a message of a longer one is refused; {} is the longest",
        found.data_type,
        UserId::TEXT_BYTES
    ))
}

/// Refuses columns that do not tell users apart as Redis does. A text column takes `12` and `12ab` for one number.
///
/// # Errors
///
/// [`StoreError::Foreign`], which names the column and the fix.
pub(super) async fn check(connection: &mut Conn, names: &Names) -> Result<(), StoreError> {
    let sql = "SELECT LOWER(data_type), LOWER(collation_name), character_maximum_length, \
               LOWER(extra) LIKE '%auto_increment%' \
               FROM information_schema.columns \
               WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    for column in names.columns().into_iter().filter(Column::has_user_ids) {
        let place = (column.table.bare(), column.name.bare());
        let found: Option<(String, Option<String>, Option<u64>, bool)> =
            bounded(connection.exec_first(sql, place)).await?;
        let found = found.map(|(data_type, collation, characters, is_auto_increment)| UserColumn {
            data_type,
            collation,
            characters,
            is_auto_increment,
            foreign_keys: Vec::new(),
        });
        // A small number does tell users apart; `chatpushd check` says what it cannot hold.
        let found =
            found.filter(|found| names.user_id_type == UserIdType::Text || !found.data_type.ends_with("int"));
        let Some(mut found) = found else { continue };
        if problem(names.user_id_type, column, &found).is_none() {
            continue;
        }
        found.foreign_keys = foreign_keys(connection, column).await?;
        if let Some(problem) = problem(names.user_id_type, column, &found) {
            let (table, name) = place;
            return Err(StoreError::Foreign(format!("column {table}.{name}: {problem}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Identifier;

    fn problem_of(ids: UserIdType, data_type: &str, collation: Option<&str>) -> Option<String> {
        problem_with(ids, &found(data_type, collation))
    }

    fn found(data_type: &str, collation: Option<&str>) -> UserColumn {
        UserColumn {
            data_type: data_type.to_owned(),
            collation: collation.map(str::to_owned),
            characters: None,
            is_auto_increment: false,
            foreign_keys: Vec::new(),
        }
    }

    fn problem_with(ids: UserIdType, found: &UserColumn) -> Option<String> {
        let (table, name) = (Identifier::new("t").unwrap(), Identifier::new("c").unwrap());
        let column = Column { table: &table, name: &name, setting: "mysql.columns.user_id" };
        problem(ids, column, found)
    }

    #[test]
    fn statement_that_would_make_numbers_of_names_is_not_printed() {
        for ids in [UserIdType::Int, UserIdType::BigInt] {
            let text = problem_of(ids, "varchar", Some("utf8mb4_general_ci")).unwrap();
            assert!(text.contains("user_id_type = \"text\"") && !text.contains("ALTER"), "{text}");
        }
    }

    #[test]
    fn foreign_keys_are_named_with_the_statement() {
        let foreign_keys = vec!["`fk` of `letter`".to_owned()];
        let column = UserColumn { foreign_keys, ..found("varchar", Some("utf8mb4_general_ci")) };
        let text = problem_with(UserIdType::Text, &column).unwrap();
        assert!(text.contains("drop the foreign keys `fk` of `letter` first"), "{text}");
    }

    #[test]
    fn statement_keeps_the_numbers_of_rows() {
        let column = UserColumn { is_auto_increment: true, ..found("int", None) };
        let text = problem_with(UserIdType::BigInt, &column).unwrap();
        assert!(text.ends_with("MODIFY `c` bigint NOT NULL AUTO_INCREMENT"), "{text}");
        let text = problem_with(UserIdType::Text, &column).unwrap();
        assert!(!text.contains("AUTO_INCREMENT"), "{text}");
    }

    #[test]
    fn columns_must_hold_ids_of_the_type() {
        for (ids, data_type, collation) in [
            (UserIdType::Int, "int", None),
            (UserIdType::Int, "bigint", None),
            (UserIdType::BigInt, "bigint", None),
            (UserIdType::Text, "varchar", Some("ascii_bin")),
            (UserIdType::Text, "char", Some("utf8mb4_0900_bin")),
        ] {
            assert_eq!(problem_of(ids, data_type, collation), None);
        }
        for (ids, data_type, collation, named) in [
            (UserIdType::Int, "varchar", Some("ascii_bin"), "type int"),
            (UserIdType::BigInt, "int", None, "MODIFY `c` bigint NOT NULL"),
            (UserIdType::Text, "int", None, "varchar(64) CHARACTER SET ascii COLLATE ascii_bin"),
            (UserIdType::Text, "varchar", Some("utf8mb4_general_ci"), "utf8mb4_general_ci takes Bob and bob"),
        ] {
            let text = problem_of(ids, data_type, collation).unwrap();
            assert!(text.contains(named), "{text} should name {named}");
        }
    }
}
