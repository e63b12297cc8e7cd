//! Names of the application's tables and columns.

use std::fmt;

use chatpush_wire::id::UserIdType;

use super::notify::When;
use super::setting::{Default, Setting};
use super::source::Source;
use super::webhook::Events;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("mysql.tables.offline_message", "offline_message", "Table of waiting messages").details(
        "A queue: rows are deleted when they are delivered. For a table that holds the history of a chat, set \
         `[mysql.history]` too.",
    ),
    Setting::text("mysql.tables.user", "user", "Table with the unread counter of each user")
        .details("Empty: there is none, and the counters are kept in `chatpush_unread`."),
    Setting::text("mysql.columns.id", "id", "Key column of the message table"),
    Setting::text("mysql.columns.sender_id", "sender_id", "Column with the sender of a message"),
    Setting::text("mysql.columns.receiver_id", "receiver_id", "Column with the receiver of a message"),
    Setting::text("mysql.columns.content", "content", "Column with the content of a message"),
    Setting::text("mysql.columns.send_time", "send_time", "Column with the time when a message was accepted")
        .details(
            "Of the type datetime or timestamp, or an integer: seconds since 1970. Empty: there is none.",
        ),
    Setting::text("mysql.columns.user_id", "id", "Key column of the user table"),
    Setting::text("mysql.columns.unread_count", "unread_count", "Column with the unread counter of a user")
        .details("Empty: there is none, and the counters are kept in `chatpush_unread`."),
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

    fn unless_empty(name: &str) -> Result<NameOrNone, String> {
        Ok(NameOrNone(if name.is_empty() { None } else { Some(Self::new(name)?) }))
    }

    /// Whether both are names of the same table or column. Case does not count.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// Whether a table of this name is one that chatpush makes for itself.
    fn is_own_table(&self) -> bool {
        self.0.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN))
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

/// Reports settings that name the table or column of one before them.
fn each_names_another(source: &mut Source, what: &str, named: &[(&str, Option<&Identifier>)]) {
    for (at, (setting, name)) in named.iter().enumerate() {
        let same = |other: &Identifier| name.is_some_and(|name| name.is(other));
        let known = named.iter().take(at).find(|(_, other)| other.is_some_and(same));
        if let Some((other, _)) = known {
            source.error(setting, &format!("names the {what} of {other}: each needs one of its own"));
        }
    }
}

/// A name that may be missing.
struct NameOrNone(Option<Identifier>);

/// How the names of our own tables begin.
const OWN: &str = "chatpush_";

/// Our own table of counters, for applications that have none.
pub(crate) const UNREAD: &str = "chatpush_unread";

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
    /// When a message was accepted, if the table has it.
    pub send_time: Option<Identifier>,
    /// Key of the user table.
    pub user_id: Identifier,
    /// Unread counter of a user.
    pub unread_count: Identifier,
    /// Whether unread messages are counted by conversation too.
    pub unread_by_conversation: bool,
    /// What users are told of; none: of nothing.
    pub notify: Option<When>,
    /// What the application is told of by webhook.
    pub events: Events,
    /// Whether they are told by Web Push too.
    pub web_push: bool,
    /// Whether the counters are in our own table, whose names the last three are then.
    pub own_counter: bool,
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

impl Column<'_> {
    /// Whether it holds user ids.
    pub fn has_user_ids(&self) -> bool {
        ["mysql.columns.sender_id", "mysql.columns.receiver_id", "mysql.columns.user_id"]
            .contains(&self.setting)
    }
}

/// Who is told of what, and how: some of it needs tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// What users are told of; none: of nothing.
    pub(super) when: Option<When>,
    /// What the application is told of by webhook.
    pub(super) events: Events,
    /// Whether users are told by Web Push.
    pub(super) web_push: bool,
}

impl Names {
    pub(super) fn read(source: &mut Source, user_id_type: UserIdType, told: Told) -> Option<Self> {
        let unread_by_conversation = source.boolean("unread_by_conversation");
        let mut name = |key| source.parse(key, Identifier::new);
        let offline_message = name("mysql.tables.offline_message");
        let id = name("mysql.columns.id");
        let sender_id = name("mysql.columns.sender_id");
        let receiver_id = name("mysql.columns.receiver_id");
        let content = name("mysql.columns.content");
        let user_id = name("mysql.columns.user_id");
        let mut name_or_none = |key| source.parse(key, Identifier::unless_empty);
        let send_time = name_or_none("mysql.columns.send_time");
        let user = name_or_none("mysql.tables.user");
        let unread_count = name_or_none("mysql.columns.unread_count");
        let counter = user?.0.zip(unread_count?.0);
        let own_counter = counter.is_none();
        let tables = [
            ("mysql.tables.offline_message", offline_message.as_ref()),
            ("mysql.tables.user", counter.as_ref().map(|(user, _)| user)),
        ];
        for (setting, table) in tables {
            if table.is_some_and(Identifier::is_own_table) {
                source.error(setting, "names a table of chatpush itself: name one of your application");
            }
        }
        each_names_another(source, "table", &tables);
        let own = |name: &str| Identifier(name.to_owned());
        let of_messages = [
            ("mysql.columns.id", id.as_ref()),
            ("mysql.columns.sender_id", sender_id.as_ref()),
            ("mysql.columns.receiver_id", receiver_id.as_ref()),
            ("mysql.columns.content", content.as_ref()),
            ("mysql.columns.send_time", send_time.as_ref().and_then(|name| name.0.as_ref())),
        ];
        each_names_another(source, "column", &of_messages);
        let of_users = [
            ("mysql.columns.user_id", user_id.as_ref().filter(|_| !own_counter)),
            ("mysql.columns.unread_count", counter.as_ref().map(|(_, unread_count)| unread_count)),
        ];
        each_names_another(source, "column", &of_users);
        let (user, user_id, unread_count) = match counter {
            Some((user, unread_count)) => (user, user_id?, unread_count),
            None => (own(UNREAD), own("user_id"), own("unread")),
        };
        Some(Self {
            offline_message: offline_message?,
            user,
            id: id?,
            sender_id: sender_id?,
            receiver_id: receiver_id?,
            content: content?,
            send_time: send_time?.0,
            user_id,
            unread_count,
            own_counter,
            unread_by_conversation: unread_by_conversation?,
            notify: told.when,
            events: told.events,
            web_push: told.web_push,
            user_id_type,
        })
    }

    /// Whether every table and column has its default name.
    pub fn are_defaults(&self) -> bool {
        let tables =
            [(&self.offline_message, "mysql.tables.offline_message"), (&self.user, "mysql.tables.user")];
        let columns = self.columns().into_iter().map(|column| (column.name, column.setting));
        !self.own_counter
            && self.send_time.is_some()
            && tables.into_iter().chain(columns).all(|(name, setting)| {
                let default = SETTINGS.iter().find(|known| known.key == setting).map(|known| &known.default);
                matches!(default, Some(Default::Value(default)) if *default == name.bare())
            })
    }

    /// Every column of the application that chatpush reads or writes by its name.
    pub fn columns(&self) -> Vec<Column<'_>> {
        let message = |name, setting| Column { table: &self.offline_message, name, setting };
        let user = |name, setting| Column { table: &self.user, name, setting };
        let mut columns = vec![
            message(&self.id, "mysql.columns.id"),
            message(&self.sender_id, "mysql.columns.sender_id"),
            message(&self.receiver_id, "mysql.columns.receiver_id"),
            message(&self.content, "mysql.columns.content"),
        ];
        columns.extend(self.send_time.as_ref().map(|name| message(name, "mysql.columns.send_time")));
        if !self.own_counter {
            columns.push(user(&self.user_id, "mysql.columns.user_id"));
            columns.push(user(&self.unread_count, "mysql.columns.unread_count"));
        }
        columns
    }

    /// Whether it is a column of the message table that chatpush reads or writes by its name.
    pub fn is_column_of_messages(&self, column: &str) -> bool {
        let columns = self.columns().into_iter().filter(|known| known.table == &self.offline_message);
        // Names of columns are not case-sensitive.
        columns.into_iter().any(|known| known.name.bare().eq_ignore_ascii_case(column))
    }

    /// The condition, behind others, for the counters among the rows of their table.
    pub fn of_counters(&self) -> &'static str {
        if self.own_counter { " AND `conversation` = ''" } else { "" }
    }
}
