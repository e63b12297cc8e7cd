//! The tables: the two of the default schema, which belong to the application, and chatpush's own.

use chatpush_wire::id::{MessageId, UserIdType};
use chatpush_wire::limit::PUSH_ENDPOINT_BYTES;
use chatpush_wire::partition::Partition;
use chatpush_wire::push_subscription::PushSubscription;

use crate::config::{Names, UNREAD};
use crate::store::user_columns;

/// A table that the daemon uses.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The name without quotes.
    pub(crate) name: String,
    /// The statement with which `chatpushd migrate` creates it if it is missing. `None`: it is the
    /// application's table of users, which only the application can create.
    pub(crate) create: Option<String>,
    /// Whether it belongs to the application.
    pub(crate) application: bool,
    /// How many of SELECT, UPDATE, INSERT and DELETE the daemon needs on it, in this order.
    pub(crate) privileges: usize,
}

/// The position of each partition, one row each.
pub(crate) const POSITION: &str = "chatpush_position";

/// One row: which installation the database belongs to, and the version of our tables.
pub(crate) const INSTALLATION: &str = "chatpush_installation";

/// Records of stored messages: id, type, time and digest, for which the application's table has no columns.
pub(crate) const MESSAGE: &str = "chatpush_message";

/// Messages that were confirmed a short time ago: a repeated call must not store them again.
pub(crate) const CONFIRMED: &str = "chatpush_confirmed";

/// Which entry of the log has cleared each user's counter last: a message before it does not count any more.
pub(crate) const CLEARED: &str = "chatpush_cleared";

/// The same for each conversation of a user, if some of its messages may still wait.
pub(crate) const CONVERSATION_CLEARED: &str = "chatpush_conversation_cleared";

/// Dead letters: entries that MySQL refused, with the reason.
pub(crate) const DEAD_LETTER: &str = "chatpush_dead";

/// What becomes of the rows that were in a message table before, one row each.
pub(crate) const ADOPTION: &str = "chatpush_adoption";

/// Users of whom somebody is to be told that messages wait, or was told.
pub(crate) const NOTIFIED: &str = "chatpush_notified";

/// One row: up to which row of the message table receivers were looked for.
pub(crate) const NOTIFY_SCAN: &str = "chatpush_notify_scan";

/// Events that the application is told of by webhook.
pub(crate) const WEBHOOK: &str = "chatpush_webhook";

/// Users of whom the application was told that they are online.
pub(crate) const ONLINE: &str = "chatpush_online";

/// Where browsers can be reached by Web Push.
pub(crate) const PUSH: &str = "chatpush_push";

/// Characters of an error that are kept of a webhook that was not accepted.
pub(crate) const ERROR_CHARACTERS: usize = 200;

/// Every table that the settings use, in the order of creation.
pub(crate) fn tables(names: &Names) -> Vec<Table> {
    let application = |name: &str, create, privileges| Table {
        name: name.to_owned(),
        create,
        application: true,
        privileges,
    };
    let mut tables = vec![application(names.offline_message.bare(), Some(offline_message(names)), 4)];
    if names.own_counter || names.unread_by_conversation {
        tables.push(unread(names));
    }
    if names.unread_by_conversation {
        tables.push(conversation_cleared(names));
    }
    if names.notify.is_some() {
        tables.extend([notified(names), notify_scan()]);
    }
    if names.events.are_queued() {
        tables.push(webhook(names));
    }
    if names.events.have_presence() {
        tables.push(online(names));
    }
    if names.web_push {
        tables.push(push(names));
    }
    if !names.own_counter {
        // Whoever has named other tables or columns has a table of users too.
        tables.push(application(names.user.bare(), names.are_defaults().then(|| user(names)), 2));
    }
    tables.extend([
        ours(
            INSTALLATION,
            "  `id` tinyint unsigned NOT NULL,\n  \
             `uuid` char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
             `prefix` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
             `schema_version` smallint unsigned NOT NULL,\n  \
             `redis_run_id` varchar(40) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,\n  \
             PRIMARY KEY (`id`)",
        ),
        ours(
            POSITION,
            "  `partition_id` tinyint unsigned NOT NULL,\n  \
             `log_id` varchar(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '0-0',\n  \
             PRIMARY KEY (`partition_id`)",
        ),
        ours(
            MESSAGE,
            "  `offline_id` bigint unsigned NOT NULL,\n  \
             `receiver_id` int unsigned NOT NULL,\n  \
             `message_id` varbinary(75) NOT NULL,\n  \
             `type` varchar(66) COLLATE utf8mb4_bin DEFAULT NULL,\n  \
             `time_ms` bigint unsigned NOT NULL,\n  \
             `digest` binary(8) NOT NULL,\n  \
             PRIMARY KEY (`offline_id`),\n  \
             UNIQUE KEY `receiver_message` (`receiver_id`,`message_id`)",
        ),
        ours(
            CONFIRMED,
            "  `receiver_id` int unsigned NOT NULL,\n  \
             `message_id` varbinary(75) NOT NULL,\n  \
             `confirmed_ms` bigint unsigned NOT NULL,\n  \
             PRIMARY KEY (`receiver_id`,`message_id`),\n  \
             KEY `confirmed_ms` (`confirmed_ms`)",
        ),
        ours(
            CLEARED,
            "  `user_id` int unsigned NOT NULL,\n  \
             `cleared_ms` bigint unsigned NOT NULL,\n  \
             PRIMARY KEY (`user_id`)",
        ),
        ours(
            DEAD_LETTER,
            "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  \
             `partition_id` tinyint unsigned NOT NULL,\n  \
             `log_id` varchar(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
             `entry` longtext NOT NULL,\n  \
             `error` text NOT NULL,\n  \
             `died_at` datetime NOT NULL,\n  \
             PRIMARY KEY (`id`),\n  \
             UNIQUE KEY `entry_id` (`partition_id`,`log_id`)",
        ),
        ours(
            ADOPTION,
            "  `table_name` varchar(64) COLLATE utf8mb4_bin NOT NULL,\n  \
             `decision` varchar(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
             `highest_id` bigint unsigned NOT NULL,\n  \
             `decided_at` datetime NOT NULL,\n  \
             PRIMARY KEY (`table_name`)",
        ),
    ]);
    tables
}

/// The counters, for applications that have none. The total of a user has no conversation.
pub(crate) fn unread(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `user_id` {user} NOT NULL,\n  \
         `conversation` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',\n  \
         `unread` int unsigned NOT NULL DEFAULT 0,\n  \
         PRIMARY KEY (`user_id`,`conversation`)",
    );
    ours(UNREAD, &columns)
}

fn conversation_cleared(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `user_id` {user} NOT NULL,\n  \
         `conversation` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
         `cleared_ms` bigint unsigned NOT NULL,\n  \
         `cleared_seq` bigint unsigned NOT NULL DEFAULT 0,\n  \
         PRIMARY KEY (`user_id`,`conversation`)",
    );
    ours(CONVERSATION_CLEARED, &columns)
}

/// Times are in milliseconds since 1970.
fn notified(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `user_id` {user} NOT NULL,\n  \
         `since_ms` bigint unsigned DEFAULT NULL,\n  \
         `check_at` bigint unsigned DEFAULT NULL,\n  \
         `offer_at` bigint unsigned DEFAULT NULL,\n  \
         `due_at` bigint unsigned DEFAULT NULL,\n  \
         `tries` int unsigned NOT NULL DEFAULT 0,\n  \
         `lease` bigint unsigned DEFAULT NULL,\n  \
         `told_at` bigint unsigned DEFAULT NULL,\n  \
         `connected_at` bigint unsigned DEFAULT NULL,\n  \
         `exit` tinyint unsigned NOT NULL DEFAULT 0,\n  \
         `tried_at` bigint unsigned DEFAULT NULL,\n  \
         `error` varchar({ERROR_CHARACTERS}) COLLATE utf8mb4_bin DEFAULT NULL,\n  \
         PRIMARY KEY (`user_id`),\n  \
         KEY `check_at` (`check_at`),\n  \
         KEY `offer_at` (`offer_at`),\n  \
         KEY `told_at` (`told_at`),\n  \
         KEY `exit_offer_at` (`exit`,`offer_at`)",
    );
    ours(NOTIFIED, &columns)
}

fn notify_scan() -> Table {
    ours(
        NOTIFY_SCAN,
        "  `id` tinyint unsigned NOT NULL,\n  \
         `row_id` bigint unsigned NOT NULL,\n  \
         PRIMARY KEY (`id`)",
    )
}

/// The sender is a text, whatever the application's column holds. Times are in milliseconds since 1970.
fn webhook(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  \
         `event` varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
         `user_id` {user} NOT NULL,\n  \
         `sender_id` varchar(64) COLLATE utf8mb4_bin DEFAULT NULL,\n  \
         `message_id` varbinary({}) DEFAULT NULL,\n  \
         `time_ms` bigint unsigned NOT NULL,\n  \
         `offer_at` bigint unsigned NOT NULL DEFAULT 0,\n  \
         `tries` int unsigned NOT NULL DEFAULT 0,\n  \
         `lease` bigint unsigned DEFAULT NULL,\n  \
         `tried_at` bigint unsigned DEFAULT NULL,\n  \
         `error` varchar({ERROR_CHARACTERS}) COLLATE utf8mb4_bin DEFAULT NULL,\n  \
         PRIMARY KEY (`id`),\n  \
         KEY `offer_at` (`offer_at`),\n  \
         KEY `user_event` (`user_id`,`event`)",
        MessageId::MAX_BYTES
    );
    ours(WEBHOOK, &columns)
}

/// Times are in milliseconds since 1970.
fn online(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `user_id` {user} NOT NULL,\n  \
         `since_ms` bigint unsigned NOT NULL,\n  \
         `connected_ms` bigint unsigned NOT NULL,\n  \
         `mark` bigint unsigned NOT NULL,\n  \
         PRIMARY KEY (`user_id`)",
    );
    ours(ONLINE, &columns)
}

/// Times are in milliseconds since 1970.
fn push(names: &Names) -> Table {
    let user = user_columns::own(names.user_id_type);
    let columns = format!(
        "  `endpoint_hash` binary(32) NOT NULL,\n  \
         `user_id` {user} NOT NULL,\n  \
         `endpoint` varchar({PUSH_ENDPOINT_BYTES}) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,\n  \
         `p256dh` binary({}) NOT NULL,\n  \
         `auth` binary({}) NOT NULL,\n  \
         `created_at` bigint unsigned NOT NULL,\n  \
         `next_try_at` bigint unsigned NOT NULL DEFAULT 0,\n  \
         `error` varchar(255) DEFAULT NULL,\n  \
         PRIMARY KEY (`endpoint_hash`),\n  \
         KEY `user_id` (`user_id`,`created_at`)",
        PushSubscription::P256DH_BYTES,
        PushSubscription::AUTH_BYTES,
    );
    ours(PUSH, &columns)
}

/// A table of our own.
fn ours(name: &str, columns: &str) -> Table {
    Table {
        name: name.to_owned(),
        create: Some(format!(
            "CREATE TABLE IF NOT EXISTS `{name}` (\n{columns}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        )),
        application: false,
        privileges: 4,
    }
}

/// Adds missing rows to the position table.
pub(crate) fn positions() -> String {
    let rows: Vec<_> = Partition::all().map(|partition| format!("({partition})")).collect();
    format!("INSERT IGNORE INTO `{POSITION}` (`partition_id`) VALUES {}", rows.join(", "))
}

/// The default schema, to the letter but for another type of user ids: `tests/it/baseline/schema.sql` has the
/// statements, and a test compares. The index is ours: without it each read of a mailbox scans the whole table.
fn offline_message(names: &Names) -> String {
    let user = user_columns::application(names.user_id_type);
    let Names { offline_message, id, sender_id, receiver_id, content, .. } = names;
    let send_time =
        names.send_time.as_ref().map(|name| format!("  {name} datetime NOT NULL COMMENT '发送时间',\n"));
    let send_time = send_time.unwrap_or_default();
    format!(
        "CREATE TABLE IF NOT EXISTS {offline_message} (\n  \
         {id} int(11) NOT NULL AUTO_INCREMENT,\n  \
         {sender_id} {user} NOT NULL COMMENT '发送者ID',\n  \
         {receiver_id} {user} NOT NULL COMMENT '接收者ID',\n  \
         {content} text NOT NULL COMMENT '消息内容',\n\
         {send_time}  \
         PRIMARY KEY ({id}),\n  \
         KEY {receiver_id} ({receiver_id},{id})\n\
         ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    )
}

fn user(names: &Names) -> String {
    let key = match names.user_id_type {
        UserIdType::Int => "int NOT NULL AUTO_INCREMENT".to_owned(),
        UserIdType::BigInt => "bigint NOT NULL AUTO_INCREMENT".to_owned(),
        UserIdType::Text => format!("{} NOT NULL", user_columns::application(names.user_id_type)),
    };
    let Names { user, user_id, unread_count, .. } = names;
    format!(
        "CREATE TABLE IF NOT EXISTS {user} (\n  \
         {user_id} {key},\n  \
         `username` varchar(255) NOT NULL COMMENT '用户名',\n  \
         `password` varchar(255) NOT NULL COMMENT '密码',\n  \
         {unread_count} int NOT NULL DEFAULT 0 COMMENT '未读消息数量',\n  \
         PRIMARY KEY ({user_id}),\n  \
         UNIQUE KEY `username` (`username`)\n\
         ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    )
}
