//! The application's tables: those of the default schema, or of a kind that the seed chooses.

use std::collections::HashMap;

use anyhow::Context as _;
use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::partition::Partition;
use fastrand::Rng;

use crate::database::FOREIGN_KEY;

/// The number of a user and this is the number of another user of the same partition, who never connects.
pub(crate) const OFFLINE: u32 = 6_400;

/// The ids of these users, by number, and the settings of the daemons for such tables.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    ids: HashMap<u32, UserId>,
    numbers: HashMap<String, u32>,
    id_type: UserIdType,
    /// What an application has that keeps its own tables.
    application: Option<ApplicationTables>,
}

/// The table of messages is a history, and conversations are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ApplicationTables {
    history: HistoryColumn,
    /// The counters are in chatpush's own table.
    own_counter: bool,
    send_time: &'static str,
}

/// How the history says that a row was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HistoryColumn {
    /// A time, and NULL before.
    Time,
    /// A number, and another before.
    Number,
}

/// A row of the table of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The number of the receiver.
    pub(crate) receiver: u32,
    /// The content.
    pub(crate) content: String,
    /// The message id, while chatpush keeps a record of the row.
    pub(crate) message_id: Option<String>,
    /// How often the row of a history was changed.
    pub(crate) changes: u32,
    /// Whether it waits to be delivered.
    pub(crate) waits: bool,
}

impl Schema {
    /// The default schema, with user ids from 1 on.
    pub(crate) fn of_article(users: u32) -> anyhow::Result<Self> {
        Self::new(users, UserIdType::Int, None)
    }

    /// The tables of an application. The first seed has text ids and counters of chatpush's own, the second ids of
    /// 64 bits; every other chooses.
    pub(crate) fn of_application(users: u32, seed: u64) -> anyhow::Result<Self> {
        let mut rng = Rng::with_seed(seed);
        let first = seed == 1;
        let types = [UserIdType::Text, UserIdType::BigInt, UserIdType::Int];
        let id_type = match seed {
            1 => UserIdType::Text,
            2 => UserIdType::BigInt,
            _ => types[rng.usize(..types.len())],
        };
        let history = if first || rng.bool() { HistoryColumn::Time } else { HistoryColumn::Number };
        let own_counter = first || rng.bool();
        let send_time = ["datetime NOT NULL", "bigint NOT NULL"][rng.usize(..2)];
        Self::new(users, id_type, Some(ApplicationTables { history, own_counter, send_time }))
    }

    fn new(users: u32, id_type: UserIdType, application: Option<ApplicationTables>) -> anyhow::Result<Self> {
        let mut ids = HashMap::new();
        for number in 1..=users {
            let online = user_id(id_type, number)?;
            ids.insert(number + OFFLINE, offline_id(id_type, &online, number)?);
            ids.insert(number, online);
        }
        let numbers = ids.iter().map(|(number, id)| (id.to_string(), *number)).collect();
        Ok(Self { ids, numbers, id_type, application })
    }

    /// Whether it is an application's, with a history and conversations.
    pub(crate) fn is_application(&self) -> bool {
        self.application.is_some()
    }

    /// The id of a user.
    ///
    /// # Errors
    ///
    /// If there is no user of this number.
    pub(crate) fn id(&self, number: u32) -> anyhow::Result<&UserId> {
        self.ids.get(&number).with_context(|| format!("there is no user {number}"))
    }

    /// The number of a user; 0 if there is none with this id.
    pub(crate) fn number(&self, id: &str) -> u32 {
        self.numbers.get(id).copied().unwrap_or(0)
    }

    /// The id of the sender of a worker's messages.
    pub(crate) fn sender(&self, worker: u64) -> anyhow::Result<UserId> {
        let Ok(number) = u32::try_from(worker) else { anyhow::bail!("too many workers") };
        Ok(match (self.is_application(), self.id_type) {
            (false, _) => UserIdType::Int.number(1)?,
            (true, UserIdType::Text) => UserIdType::Text.text(&format!("worker.{number}"))?,
            (true, ids) => ids.number(100_000 + i64::from(number))?,
        })
    }

    /// The settings of a daemon.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(application) = self.application else { return Vec::new() };
        let mut settings = vec![
            ("CHATPUSH_USER_ID_TYPE", self.id_type.to_string()),
            ("CHATPUSH_UNREAD_BY_CONVERSATION", "true".to_owned()),
            ("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered".to_owned()),
        ];
        match application.history {
            HistoryColumn::Time => settings.push(("CHATPUSH_MYSQL_HISTORY_VALUE", "now".to_owned())),
            HistoryColumn::Number => settings.extend([
                ("CHATPUSH_MYSQL_HISTORY_VALUE", "1".to_owned()),
                ("CHATPUSH_MYSQL_HISTORY_WAITING", "0".to_owned()),
            ]),
        }
        if application.own_counter {
            settings.push(("CHATPUSH_MYSQL_TABLES_USER", String::new()));
        }
        settings
    }

    /// Statements that make the application's own tables, before `chatpushd migrate`. A row of the history
    /// counts its changes, and one that is deleted leaves a trace.
    pub(crate) fn before_migration(&self) -> String {
        let Some(ApplicationTables { history, own_counter, send_time }) = self.application else {
            return String::new();
        };
        let id = match self.id_type {
            UserIdType::Int => "int",
            UserIdType::BigInt => "bigint",
            UserIdType::Text => "varchar(64) CHARACTER SET ascii COLLATE ascii_bin",
        };
        let delivered = match history {
            HistoryColumn::Time => "datetime NULL",
            HistoryColumn::Number => "tinyint NOT NULL",
        };
        let user = if own_counter {
            String::new()
        } else {
            format!(
                "CREATE TABLE `user` (id {id} NOT NULL PRIMARY KEY, unread_count int NOT NULL DEFAULT 0);"
            )
        };
        format!(
            "CREATE TABLE offline_message (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             sender_id {id} NOT NULL, receiver_id {id} NOT NULL, content text NOT NULL, \
             send_time {send_time}, delivered {delivered}, changes int NOT NULL DEFAULT 0, \
             KEY waiting (receiver_id, delivered, id)) CHARACTER SET utf8mb4; \
             CREATE TABLE deleted (id int NOT NULL); \
             CREATE TRIGGER changed BEFORE UPDATE ON offline_message FOR EACH ROW \
             SET NEW.changes = OLD.changes + 1; \
             CREATE TRIGGER gone BEFORE DELETE ON offline_message FOR EACH ROW \
             INSERT INTO deleted VALUES (OLD.id); {user}"
        )
    }

    /// Statements that add the users, and what MySQL does at messages, after `chatpushd migrate`.
    pub(crate) fn after_migration(&self, galera: bool) -> String {
        let rows = |columns: &str, row: &dyn Fn(&u32, &UserId) -> String| {
            let rows: Vec<_> = self.ids.iter().map(|(number, id)| row(number, id)).collect();
            format!("INSERT INTO `user` ({columns}) VALUES {};", rows.join(", "))
        };
        let users = match self.application {
            None => rows("id, username, password", &|number, id| format!("({id}, 'u{number}', '')")),
            Some(tables) if tables.own_counter => String::new(),
            Some(_) => rows("id", &|_, id| format!("('{id}')")),
        };
        let key = if galera && self.application.is_none() { FOREIGN_KEY } else { "DO 0" };
        format!("{users} {}; {key}", crate::database::POISON_TRIGGER)
    }

    /// The condition that a row waits.
    fn waits(&self) -> &'static str {
        match self.application.map(|tables| tables.history) {
            None => "1",
            Some(HistoryColumn::Time) => "delivered IS NULL",
            Some(HistoryColumn::Number) => "delivered = 0",
        }
    }

    /// The query for all rows, oldest first; [`Schema::row`] reads what it returns.
    pub(crate) fn select_rows(&self) -> String {
        let changes = if self.is_application() { "changes" } else { "0" };
        format!(
            "SELECT o.receiver_id, content, COALESCE(m.message_id, ''), {changes}, {} FROM offline_message o \
             LEFT JOIN chatpush_message m ON m.offline_id = o.id ORDER BY o.id",
            self.waits()
        )
    }

    /// Reads a row.
    ///
    /// # Errors
    ///
    /// If it is none of [`Schema::select_rows`].
    pub(crate) fn row(&self, columns: &[String]) -> anyhow::Result<Row> {
        let [receiver, content, message_id, changes, waits] = columns else {
            anyhow::bail!("not a row: {columns:?}")
        };
        Ok(Row {
            receiver: self.number(receiver),
            content: content.clone(),
            message_id: Some(message_id.clone()).filter(|id| !id.is_empty()),
            changes: changes.parse()?,
            waits: waits == "1",
        })
    }

    /// The query for the number of rows that wait.
    pub(crate) fn count_waiting(&self) -> String {
        format!("SELECT COUNT(*) FROM offline_message WHERE {}", self.waits())
    }

    /// The query for users and their counters.
    pub(crate) fn select_counters(&self) -> &'static str {
        if self.application.is_some_and(|tables| tables.own_counter) {
            "SELECT user_id, unread FROM chatpush_unread WHERE conversation = ''"
        } else {
            "SELECT id, unread_count FROM `user`"
        }
    }
}

fn user_id(id_type: UserIdType, number: u32) -> anyhow::Result<UserId> {
    Ok(match id_type {
        UserIdType::Int => id_type.number(i64::from(number))?,
        // Beyond 32 bits, of both signs, in all partitions.
        UserIdType::BigInt => {
            let far = (1_i64 << 33) + i64::from(number);
            id_type.number(if number.is_multiple_of(2) { far } else { -far })?
        }
        // Two that differ in case alone are two users.
        UserIdType::Text if number.is_multiple_of(2) => id_type.text(&format!("ann.{number}"))?,
        UserIdType::Text => id_type.text(&format!("Ann.{}", number + 1))?,
    })
}

/// The id of another user of the same partition.
fn offline_id(id_type: UserIdType, online: &UserId, number: u32) -> anyhow::Result<UserId> {
    let mut others = (0..100_000_u32).filter_map(|try_| match id_type {
        UserIdType::Text => id_type.text(&format!("offline.{number}.{try_}")).ok(),
        UserIdType::Int => id_type.number(i64::from(number + OFFLINE)).ok(),
        UserIdType::BigInt => id_type.number(i64::from(number) * 1_000 + i64::from(try_)).ok(),
    });
    others.find(|id| Partition::of(id) == Partition::of(online)).context("no id of this partition")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_without_a_client_are_in_the_partition_of_one_with() {
        for seed in 1..20 {
            let schema = Schema::of_application(60, seed).unwrap();
            assert_eq!(schema.numbers.len(), 120);
            for number in 1..=60 {
                let (online, offline) = (schema.id(number).unwrap(), schema.id(number + OFFLINE).unwrap());
                assert_ne!(online, offline);
                assert_eq!(Partition::of(online), Partition::of(offline));
                assert_eq!(schema.number(&online.to_string()), number);
            }
        }
    }
}
