//! Whether the values of `[mysql.history]` and `[mysql.values]` serve in their columns. What a column makes of a
//! value, and which values it takes for equal, depends on its type and collation: so MySQL is asked, with a row
//! that is inserted, marked and rolled back.

use std::sync::{Arc, Mutex, PoisonError};

use chatpush_wire::id::MessageId;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::statements::{confirm, insert, quoted};
use super::tables::Tables;
use super::{StoreError, bounded};
use crate::base::clock;
use crate::config::Identifier;
use crate::log::batch::Insert;
use crate::log::position::Position;

/// MySQL manual, "Server Error Message Reference": `ER_SIGNAL_EXCEPTION`, a trigger's own error.
const SIGNAL: u16 = 1644;

/// A configured value of a column of the message table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnValue {
    /// The setting.
    pub(super) setting: String,
    /// The column.
    pub(super) column: Identifier,
    /// The value as it was configured; none for NULL, or for the time.
    pub(super) value: Option<String>,
    /// The value in SQL.
    pub(super) literal: String,
    /// Type and collation of the column.
    pub(super) column_type: String,
}

/// What is wrong with a value.
#[derive(Clone, Debug)]
pub(crate) struct BadValue {
    /// The column.
    pub(crate) column: String,
    /// The setting, the value, and why it does not serve.
    pub(crate) text: String,
}

/// The values that were tried last and serve. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(super) struct TriedValues(Arc<Mutex<Vec<ColumnValue>>>);

impl TriedValues {
    /// Makes sure that the values serve. They are tried again when a column has changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`], which names the setting.
    pub(super) async fn require(&self, connection: &mut Conn, tables: &Tables) -> Result<(), StoreError> {
        if *self.0.lock().unwrap_or_else(PoisonError::into_inner) == tables.values {
            return Ok(());
        }
        match find_bad(connection, tables).await? {
            Tried::Bad(BadValue { column, text }) => {
                let table = tables.offline_message.bare();
                return Err(StoreError::Unfit(format!("the column {table}.{column}: {text}")));
            }
            Tried::Fine => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&tables.values);
            }
            Tried::Unknown => {}
        }
        Ok(())
    }
}

/// What a trial has shown.
#[derive(Clone, Debug)]
pub(crate) enum Tried {
    /// The values serve.
    Fine,
    /// One does not.
    Bad(BadValue),
    /// The row was refused for another reason, such as a lock or a trigger.
    Unknown,
}

/// Tries the values.
///
/// # Errors
///
/// When the connection fails.
pub(crate) async fn find_bad(connection: &mut Conn, tables: &Tables) -> Result<Tried, StoreError> {
    if tables.values.is_empty() {
        return Ok(Tried::Fine);
    }
    let tried = try_row(connection, tables).await;
    let end = "ROLLBACK; SET SESSION lock_wait_timeout = DEFAULT, foreign_key_checks = DEFAULT";
    bounded(connection.query_drop(end)).await?;
    match tried {
        Err(error) if error.code().is_some() => Ok(culprit(tables, &error)),
        tried => tried,
    }
}

async fn try_row(connection: &mut Conn, tables: &Tables) -> Result<Tried, StoreError> {
    let now = clock::unix_milliseconds();
    let id = MessageId::generate(now, [0; 10]);
    let ids = tables.user_id_type;
    let (Ok(sender), Ok(receiver)) = (ids.text("1"), ids.text("2")) else { return Ok(Tried::Unknown) };
    let position = Position::new(now, 0);
    let (message_type, conversation) = (None, None);
    let row = Insert {
        id: &id,
        sender: &sender,
        receiver: &receiver,
        content: "x",
        message_type,
        conversation,
        position,
    };
    // The users of the row need not exist.
    let begin = "SET SESSION lock_wait_timeout = 1, foreign_key_checks = 0; START TRANSACTION";
    bounded(connection.query_drop(begin)).await?;
    bounded(connection.query_drop(insert::rows(tables, &[row]))).await?;
    let Some((waiting, delivered)) = tables.history_values() else { return Ok(Tried::Fine) };
    let (table, name, column) = (&tables.offline_message, &tables.id, &waiting.column);
    let this = format!("{name} = LAST_INSERT_ID(){}", tables.waits(""));
    let waits = format!("SELECT COUNT(*) FROM {table} WHERE {this}");
    let found = format!("SELECT CAST({column} AS CHAR) FROM {table} WHERE {name} = LAST_INSERT_ID()");
    if bounded(connection.query_first::<u64, _>(&waits)).await? != Some(1) {
        let found: Option<Option<String>> = bounded(connection.query_first(&found)).await?;
        return Ok(waiting.bad(&format!("a new row gets {}, so it would not wait", shown(found.flatten()))));
    }
    let mark = format!("{} WHERE {this}", confirm::remove(tables));
    match bounded(connection.query_drop(mark)).await {
        // Only this column has changed. A trigger may know that there are no such users.
        Err(error @ StoreError::Rejected(_)) if error.code() != Some(SIGNAL) => {
            return Ok(delivered.bad(&error.reason()));
        }
        marked => marked?,
    }
    if bounded(connection.query_first::<u64, _>(&waits)).await? != Some(0) {
        let same =
            "MySQL takes it for mysql.history.waiting there, so rows that were delivered would wait for ever";
        return Ok(delivered.bad(same));
    }
    if let Some(value) = &delivered.value {
        // A FLOAT of 0.1 does not equal 0.1.
        let same = format!(
            "SELECT COALESCE({column} = {}, 0) OR COALESCE(CAST({column} AS CHAR) = {}, 0) \
             FROM {table} WHERE {name} = LAST_INSERT_ID()",
            delivered.literal,
            quoted(value)
        );
        if bounded(connection.query_first::<bool, _>(same)).await? != Some(true) {
            let found: Option<Option<String>> = bounded(connection.query_first(&found)).await?;
            return Ok(delivered.bad(&format!("the column makes {} of it", shown(found.flatten()))));
        }
    }
    Ok(Tried::Fine)
}

impl ColumnValue {
    /// Says what is wrong with it.
    fn bad(&self, problem: &str) -> Tried {
        let Self { setting, column, value, literal, column_type } = self;
        let value = match value {
            Some(value) => format!("{value:?}"),
            None if literal == "NULL" => literal.clone(),
            None => "\"now\"".to_owned(),
        };
        let text = format!("{value} ({setting}) does not serve in this {column_type}: {problem}");
        Tried::Bad(BadValue { column: column.bare().to_owned(), text })
    }
}

/// The value whose column an error names. MySQL names the column behind the value: "Incorrect integer value: 'Yes'
/// for column `database`.`message`.`status` at row 1".
fn culprit(tables: &Tables, error: &StoreError) -> Tried {
    let text = error.reason();
    let lower = text.to_lowercase();
    let place = |column: &Identifier| {
        let column = column.bare().to_lowercase();
        [format!("'{column}'"), format!("`{column}`")].iter().filter_map(|name| lower.rfind(name)).max()
    };
    // It may be a column that nobody has set.
    let others = tables.columns().into_iter().filter_map(|column| place(column.name)).max();
    let named = tables.values.iter().filter_map(|value| Some((place(&value.column)?, value)));
    match named.max_by_key(|(place, _)| *place) {
        Some((place, value)) if others.is_none_or(|other| other < place) => value.bad(&text),
        _ => Tried::Unknown,
    }
}

fn shown(value: Option<String>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| format!("{value:?}"))
}
