//! How a message table is used: as a queue, or as a history with certain marks. What waits depends on it, and
//! what becomes of a row that was confirmed; so a decision about rows holds for this use alone.

use std::fmt;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::config::{History, Identifier, Mysql};
use crate::log::batch::BATCH_ROWS;
use crate::store::schema::{ADOPTION, MESSAGE};
use crate::store::statements::{list, quoted};
use crate::store::tables::Tables;
use crate::store::{StoreError, bounded, identity};

/// The columns that hold it. No name of a column means a queue.
pub(super) const COLUMNS: [&str; 3] = ["history_column", "history_value", "history_waiting"];

/// How a table is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Rows are deleted once they are confirmed.
    Queue,
    /// They are marked.
    History {
        /// The column, as the settings name it.
        column: String,
        /// Its value in rows that were delivered; none for the time.
        value: Option<String>,
        /// Its value in rows that wait; none for NULL.
        waiting: Option<String>,
    },
}

impl Usage {
    /// What the settings say.
    pub(crate) fn of(mysql: &Mysql) -> Self {
        match &mysql.history {
            None => Self::Queue,
            Some(History { column, value, waiting }) => Self::History {
                column: column.bare().to_owned(),
                value: value.clone(),
                waiting: waiting.clone(),
            },
        }
    }

    /// What was recorded; none by a version before this was.
    pub(super) fn of_columns(
        column: Option<String>,
        value: Option<String>,
        waiting: Option<String>,
    ) -> Option<Self> {
        column.map(|column| match column.as_str() {
            "" => Self::Queue,
            _ => Self::History { column, value, waiting },
        })
    }

    /// The values of [`COLUMNS`], as SQL literals.
    pub(super) fn values(&self) -> [String; 3] {
        let literal = |text: &Option<String>| text.as_deref().map_or_else(|| "NULL".to_owned(), quoted);
        match self {
            Self::Queue => [quoted(""), literal(&None), literal(&None)],
            Self::History { column, value, waiting } => [quoted(column), literal(value), literal(waiting)],
        }
    }

    /// Names of columns have no case (MySQL manual, "Identifier Case Sensitivity").
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::History { column, value, waiting },
                Self::History { column: other, value: other_value, waiting: other_waiting },
            ) => column.eq_ignore_ascii_case(other) && (value, waiting) == (other_value, other_waiting),
            _ => self == other,
        }
    }

    /// Why the table is not used as the settings say.
    pub(crate) fn differs(&self, mysql: &Mysql) -> String {
        let table = mysql.names.offline_message.bare();
        let now = Self::of(mysql);
        let (becomes, mark) = match now {
            Self::Queue => (
                "Rows that were delivered already would be sent again and then DELETED",
                "`--mark --delete --again` (they are DELETED)",
            ),
            Self::History { .. } => (
                "Rows that were delivered already might be sent again, and rows that wait never",
                "`--mark --again` (they count as delivered already)",
            ),
        };
        format!(
            "the table {table} was used as {self}; the settings say now: as {now}. {becomes}. Correct \
             [mysql.history] (is the configuration file or a variable missing?). If it is meant, say what \
             becomes of the rows that chatpush has not stored: `chatpushd adopt --keep --again` (they are left \
             alone), `--deliver --again` or {mark}"
        )
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |text: &Option<String>, none: &str| match text {
            Some(text) => format!("'{text}'"),
            None => none.to_owned(),
        };
        match self {
            Self::Queue => f.write_str("a queue, whose rows are deleted once they are delivered"),
            Self::History { column, value: delivered, waiting } => write!(
                f,
                "a history, where `{column}` is {} in rows that were delivered and {} in rows that wait",
                value(delivered, "the time"),
                value(waiting, "NULL")
            ),
        }
    }
}

/// Records how the table is used, where an older version has not.
pub(super) async fn complete(connection: &mut Conn, mysql: &Mysql) -> Result<(), StoreError> {
    let values = Usage::of(mysql).values();
    let set: Vec<_> = COLUMNS.iter().zip(values).map(|(name, value)| format!("`{name}` = {value}")).collect();
    let sql = format!(
        "UPDATE `{ADOPTION}` SET {} WHERE `table_name` = {} AND `history_column` IS NULL",
        set.join(", "),
        quoted(mysql.names.offline_message.bare())
    );
    bounded(connection.query_drop(sql)).await
}

/// Rows that chatpush has stored and that wait in the table as it was used before, also wait in it as it is
/// used now.
pub(super) async fn keep_waiting(
    connection: &mut Conn,
    mysql: &Mysql,
    before: &Usage,
    tables: &Tables,
) -> Result<(), StoreError> {
    let Some(marking) = tables.marking.as_ref().filter(|_| !before.is_same(&Usage::of(mysql))) else {
        return Ok(());
    };
    let history = match before {
        Usage::Queue => None,
        Usage::History { column, value, waiting } => {
            let column = Identifier::new(column).map_err(StoreError::Unfit)?;
            Some(History { column, value: value.clone(), waiting: waiting.clone() })
        }
    };
    let waited = match Tables::inspect(connection, &Mysql { history, ..mysql.clone() }).await {
        Ok((tables, _)) => tables.waits("o."),
        // The column of before is gone; what has a record has waited, but for what the application has marked.
        Err(StoreError::Unfit(_)) => String::new(),
        Err(error) => return Err(error),
    };
    let (table, id) = (&tables.offline_message, &tables.id);
    let mut after = 0;
    loop {
        let sql = format!(
            "SELECT o.{id} FROM `{MESSAGE}` m JOIN {table} o ON {} WHERE m.`offline_id` > {after}{waited} \
             ORDER BY m.`offline_id` LIMIT {BATCH_ROWS}",
            identity::record_of_row(tables)
        );
        let ids: Vec<u64> = bounded(connection.query(sql)).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = *last;
        let sql = format!("UPDATE {table} SET {} WHERE {id} IN ({})", marking.unset(), list(&ids));
        bounded(connection.query_drop(sql)).await?;
    }
}
