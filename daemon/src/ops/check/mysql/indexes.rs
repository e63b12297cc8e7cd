//! Indexes by which rows are found.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::{Identifier, Mysql, Names};
use crate::ops::check::Finding;
use crate::store::{StoreError, bounded};

/// Mailboxes are read by receiver, in the order of ids.
pub(super) async fn of_receivers(connection: &mut Conn, mysql: &Mysql) -> Result<Finding, StoreError> {
    let Names { offline_message, receiver_id, id, .. } = &mysql.names;
    let history = mysql.history.as_ref().map(|history| &history.column);
    let wanted: Vec<_> = [Some(receiver_id), history, Some(id)].into_iter().flatten().collect();
    let indexes = indexes(connection, offline_message).await?;
    let name = format!("index on {}.{}", offline_message.bare(), receiver_id.bare());
    Ok(if indexes.values().any(|columns| serves(columns, &wanted, &indexes)) {
        Finding::fine(name, "")
    } else {
        let text = format!(
            "is missing, so each read of a mailbox scans the table; \
             ALTER TABLE {offline_message} ADD INDEX ({})",
            wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        Finding::warning(name, text)
    })
}

/// Counters are found by user.
pub(super) async fn of_users(connection: &mut Conn, names: &Names) -> Result<Finding, StoreError> {
    let Names { user, user_id, .. } = names;
    let indexes = indexes(connection, user).await?;
    let name = format!("index on {}.{}", user.bare(), user_id.bare());
    let serves = |columns: &Vec<String>| columns.first().is_some_and(|first| is(first, user_id));
    Ok(if indexes.values().any(serves) {
        Finding::fine(name, "")
    } else {
        let text = format!(
            "is missing, so each store scans the table and locks all its rows; \
             ALTER TABLE {user} ADD INDEX ({user_id})"
        );
        Finding::warning(name, text)
    })
}

/// The columns of each index, by its name.
async fn indexes(
    connection: &mut Conn,
    table: &Identifier,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    // A part of an index may be an expression, which has no column.
    let sql = "SELECT index_name, COALESCE(column_name, '') FROM information_schema.statistics \
               WHERE table_schema = DATABASE() AND table_name = ? ORDER BY index_name, seq_in_index";
    let parts: Vec<(String, String)> = bounded(connection.exec(sql, (table.bare(),))).await?;
    let mut indexes = BTreeMap::<_, Vec<_>>::new();
    for (index, column) in parts {
        indexes.entry(index).or_default().push(column);
    }
    Ok(indexes)
}

/// Whether an index begins with these columns. MySQL appends the primary key to an index.
fn serves(columns: &[String], wanted: &[&Identifier], indexes: &BTreeMap<String, Vec<String>>) -> bool {
    let primary = indexes.get("PRIMARY").and_then(|columns| columns.first());
    let columns: Vec<_> = columns.iter().chain(primary).collect();
    columns.len() >= wanted.len() && columns.iter().zip(wanted).all(|(column, name)| is(column, name))
}

/// Names of columns are not case-sensitive.
fn is(column: &str, name: &Identifier) -> bool {
    column.eq_ignore_ascii_case(name.bare())
}
