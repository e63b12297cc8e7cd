//! What the application calls its tables and columns.

use std::fmt;

use super::source::Source;

/// A table or column name, checked once and quoted wherever it is printed, so that no configured name can
/// become SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(String);

impl Identifier {
    fn new(name: &str) -> Result<Self, String> {
        let forbidden = |c: char| c == '`' || c == '.' || c.is_control();
        if name.is_empty() || name.chars().count() > 64 || name.ends_with(' ') || name.contains(forbidden) {
            return Err(format!(
                "{name:?} must be a MySQL name of 1 to 64 characters, without backtick or full stop"
            ));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name without its quotes, to compare with what `information_schema` says.
    pub fn bare(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// Names of the application's tables and columns, with the article's as defaults.
#[derive(Clone, Debug)]
pub struct Names {
    /// `mysql.tables.offline_message`.
    pub offline_message: Identifier,
    /// `mysql.tables.user`.
    pub user: Identifier,
    /// `mysql.columns.id`: of the message table.
    pub id: Identifier,
    /// `mysql.columns.sender_id`.
    pub sender_id: Identifier,
    /// `mysql.columns.receiver_id`.
    pub receiver_id: Identifier,
    /// `mysql.columns.content`.
    pub content: Identifier,
    /// `mysql.columns.send_time`.
    pub send_time: Identifier,
    /// `mysql.columns.user_id`: the key of the user table, by default `id`.
    pub user_id: Identifier,
    /// `mysql.columns.unread_count`.
    pub unread_count: Identifier,
}

/// A column that chatpush reads or writes.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The table it belongs to.
    pub table: &'a Identifier,
    /// Its name.
    pub name: &'a Identifier,
    /// The setting that names it.
    pub setting: &'static str,
}

impl Names {
    /// When a row of the message table was stored, in whole seconds since 1970, as SQL; the table may have an
    /// alias. Reading and removing a row use the same, since not every time goes there and back again.
    pub fn seconds(&self, alias: &str) -> String {
        format!("COALESCE(CAST(UNIX_TIMESTAMP({alias}{}) AS SIGNED), 0)", self.send_time)
    }

    /// That a record of ours `m` and a row of the message table `o` belong together, as SQL. The id alone does
    /// not tell: a TRUNCATE re-uses row ids.
    pub fn record_of_row(&self) -> String {
        format!(
            "o.{} = m.`offline_id` AND o.{} = m.`receiver_id` AND o.{} = FROM_UNIXTIME(m.`time_ms` DIV 1000)",
            self.id, self.receiver_id, self.send_time
        )
    }

    pub(super) fn read<E: Fn(&str) -> Option<String>>(source: &mut Source<E>) -> Option<Self> {
        let mut name = |key: &str, default: &str| {
            let name = source.in_file(key);
            Identifier::new(name.as_deref().unwrap_or(default))
                .map_err(|what| source.mistake(key, &what))
                .ok()
        };
        let offline_message = name("mysql.tables.offline_message", "offline_message");
        let user = name("mysql.tables.user", "user");
        let id = name("mysql.columns.id", "id");
        let sender_id = name("mysql.columns.sender_id", "sender_id");
        let receiver_id = name("mysql.columns.receiver_id", "receiver_id");
        let content = name("mysql.columns.content", "content");
        let send_time = name("mysql.columns.send_time", "send_time");
        let user_id = name("mysql.columns.user_id", "id");
        let unread_count = name("mysql.columns.unread_count", "unread_count");
        Some(Self {
            offline_message: offline_message?,
            user: user?,
            id: id?,
            sender_id: sender_id?,
            receiver_id: receiver_id?,
            content: content?,
            send_time: send_time?,
            user_id: user_id?,
            unread_count: unread_count?,
        })
    }

    /// Every column that chatpush touches, for whoever looks whether they are there.
    pub fn columns(&self) -> [Column<'_>; 7] {
        let message = |name, setting| Column { table: &self.offline_message, name, setting };
        let user = |name, setting| Column { table: &self.user, name, setting };
        [
            message(&self.id, "mysql.columns.id"),
            message(&self.sender_id, "mysql.columns.sender_id"),
            message(&self.receiver_id, "mysql.columns.receiver_id"),
            message(&self.content, "mysql.columns.content"),
            message(&self.send_time, "mysql.columns.send_time"),
            user(&self.user_id, "mysql.columns.user_id"),
            user(&self.unread_count, "mysql.columns.unread_count"),
        ]
    }
}
