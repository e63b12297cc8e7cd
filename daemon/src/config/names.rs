//! Names of the application's tables and columns.

use std::fmt;

use chatpush_wire::id::UserIdType;

use super::setting::{Default, Setting};
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("mysql.tables.offline_message", "offline_message", "Table of waiting messages").details(
        "A queue: rows are deleted when they are delivered. Never enter a table that holds the history of a \
         chat.",
    ),
    Setting::text("mysql.tables.user", "user", "Table with the unread counter of each user"),
    Setting::text("mysql.columns.id", "id", "Key column of the message table"),
    Setting::text("mysql.columns.sender_id", "sender_id", "Column with the sender of a message"),
    Setting::text("mysql.columns.receiver_id", "receiver_id", "Column with the receiver of a message"),
    Setting::text("mysql.columns.content", "content", "Column with the content of a message"),
    Setting::text("mysql.columns.send_time", "send_time", "Column with the time when a message was accepted"),
    Setting::text("mysql.columns.user_id", "id", "Key column of the user table"),
    Setting::text("mysql.columns.unread_count", "unread_count", "Column with the unread counter of a user"),
];

/// A table or column name. It is checked once and quoted wherever it is printed, so that no configured name
/// can become SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier(String);

impl Identifier {
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let forbidden = |c: char| c == '`' || c == '.' || c.is_control();
        if name.is_empty() || name.chars().count() > 64 || name.ends_with(' ') || name.contains(forbidden) {
            return Err(format!(
                "{name:?} must be a MySQL name of 1 to 64 characters, without backtick or full stop"
            ));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name without quotes, as in `information_schema`.
    pub fn bare(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

/// Names of the application's tables and columns.
#[derive(Clone, Debug)]
pub struct Names {
    /// The table of waiting messages.
    pub offline_message: Identifier,
    /// The table with the unread counter of each user.
    pub user: Identifier,
    /// Key of the message table.
    pub id: Identifier,
    /// Sender of a message.
    pub sender_id: Identifier,
    /// Receiver of a message.
    pub receiver_id: Identifier,
    /// Content of a message.
    pub content: Identifier,
    /// When a message was accepted.
    pub send_time: Identifier,
    /// Key of the user table.
    pub user_id: Identifier,
    /// Unread counter of a user.
    pub unread_count: Identifier,
    /// The type of user ids.
    pub user_id_type: UserIdType,
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
    pub(super) fn read(source: &mut Source, user_id_type: UserIdType) -> Option<Self> {
        let mut name = |key| source.parse(key, Identifier::new);
        let offline_message = name("mysql.tables.offline_message");
        let user = name("mysql.tables.user");
        let id = name("mysql.columns.id");
        let sender_id = name("mysql.columns.sender_id");
        let receiver_id = name("mysql.columns.receiver_id");
        let content = name("mysql.columns.content");
        let send_time = name("mysql.columns.send_time");
        let user_id = name("mysql.columns.user_id");
        let unread_count = name("mysql.columns.unread_count");
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
            user_id_type,
        })
    }

    /// Whether every table and column has its default name.
    pub fn are_defaults(&self) -> bool {
        let tables =
            [(&self.offline_message, "mysql.tables.offline_message"), (&self.user, "mysql.tables.user")];
        let columns = self.columns().map(|column| (column.name, column.setting));
        tables.into_iter().chain(columns).all(|(name, setting)| {
            let default = SETTINGS.iter().find(|known| known.key == setting).map(|known| &known.default);
            matches!(default, Some(Default::Value(default)) if *default == name.bare())
        })
    }

    /// Every column that chatpush reads or writes.
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
