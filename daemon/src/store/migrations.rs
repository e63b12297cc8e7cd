//! The numbered changes of chatpush's own tables. A change is never edited after it was released; a new one
//! is added at the end.

use chatpush_wire::id::MessageId;

use crate::config::Names;
use crate::store::schema::{
    self, ADOPTION, CLEARED, CONFIRMED, CONVERSATION_CLEARED, DEAD_LETTER, ERROR_CHARACTERS, INSTALLATION,
    MESSAGE, NOTIFIED, POSITION, WEBHOOK,
};
use crate::store::user_columns;

/// One change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    /// The version of the tables after it.
    pub(crate) version: u16,
    /// What it does, for the output of `chatpushd migrate`.
    pub(crate) summary: &'static str,
    /// Its statements. Each may have been executed before: MySQL commits each one, and a change that was
    /// interrupted starts again.
    pub(crate) statements: fn(&NewInstallation<'_>) -> Vec<String>,
}

/// What the statements of a change depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewInstallation<'a> {
    /// The application's names.
    pub(crate) names: &'a Names,
    /// The UUID of an installation that has none yet.
    pub(crate) uuid: &'a str,
    /// The start of its names in Redis.
    pub(crate) prefix: &'a str,
}

/// All changes, in order.
pub(crate) const ALL: &[Migration] = &[
    Migration { version: 1, summary: "created the tables of chatpush", statements: create_tables },
    Migration { version: 2, summary: "added the conversation of a message", statements: add_conversation },
    Migration { version: 3, summary: "created chatpush_adoption", statements: create_own_tables },
    Migration { version: 4, summary: "created chatpush_cleared", statements: create_own_tables },
    Migration {
        version: 5,
        summary: "let an entry of the log have more than one dead letter",
        statements: allow_dead_letters_of_one_entry,
    },
    Migration { version: 6, summary: "recorded the type of user ids", statements: record_user_id_type },
    Migration { version: 7, summary: "recorded the order of clears and messages", statements: add_order },
    Migration {
        version: 8,
        summary: "recorded since when conversations are counted",
        statements: record_since_when_conversations_count,
    },
    Migration { version: 9, summary: "recorded which messages were recalled", statements: add_recalled },
    Migration { version: 10, summary: "recorded how message tables are used", statements: add_usage },
    Migration { version: 11, summary: "recorded where old messages are looked for", statements: add_search },
    Migration { version: 12, summary: "recorded by what users are told", statements: record_exit },
    Migration {
        version: 13,
        summary: "recorded since when somebody is told in vain",
        statements: record_first_try,
    },
    Migration {
        version: 14,
        summary: "recorded which confirmed messages had a row",
        statements: add_had_row,
    },
    Migration { version: 15, summary: "recorded why webhooks were not accepted", statements: record_errors },
];

/// The version that this program works with.
pub(crate) const LATEST: u16 = 15;

/// Records that the tables have a version.
pub(crate) fn record(version: u16) -> String {
    format!("UPDATE `{INSTALLATION}` SET `schema_version` = {version} WHERE `id` = 1")
}

/// Creates those of our tables that are missing.
fn create_own_tables(NewInstallation { names, .. }: &NewInstallation<'_>) -> Vec<String> {
    let own = schema::tables(names).into_iter().filter(|table| !table.application);
    own.filter_map(|table| table.create).collect()
}

fn create_tables(new: &NewInstallation<'_>) -> Vec<String> {
    let NewInstallation { uuid, prefix, .. } = new;
    let mut statements = create_own_tables(new);
    statements.push(schema::positions());
    // A UUID and a prefix have no character that needs quoting.
    statements.push(format!(
        "INSERT IGNORE INTO `{INSTALLATION}` (`id`, `uuid`, `prefix`, `schema_version`) \
         VALUES (1, '{uuid}', '{prefix}', 0)"
    ));
    statements
}

fn add_conversation(_: &NewInstallation<'_>) -> Vec<String> {
    add_column(
        MESSAGE,
        "conversation",
        "varchar(64) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL AFTER `type`",
    )
}

/// An entry with many receivers has a dead letter for each one that MySQL refuses.
fn allow_dead_letters_of_one_entry(_: &NewInstallation<'_>) -> Vec<String> {
    let unique = format!(
        "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
         AND table_name = '{DEAD_LETTER}' AND index_name = 'entry_id' AND non_unique = 0"
    );
    let change = format!(
        "ALTER TABLE `{DEAD_LETTER}` DROP INDEX `entry_id`, ADD INDEX `entry_id` (`partition_id`,`log_id`)"
    );
    conditional(&format!("({unique}) > 0"), &change)
}

/// A message id begins with a user id of up to 64 bytes, where a sender has chosen it.
fn record_user_id_type(NewInstallation { names, .. }: &NewInstallation<'_>) -> Vec<String> {
    let ids = names.user_id_type;
    let widened = [MESSAGE, CONFIRMED].map(|table| {
        format!(
            "ALTER TABLE `{table}` MODIFY `receiver_id` {} NOT NULL, MODIFY `message_id` varbinary({}) NOT NULL",
            user_columns::own(ids),
            MessageId::MAX_BYTES
        )
    });
    let mut statements = widened.to_vec();
    statements.push(format!("ALTER TABLE `{CLEARED}` MODIFY `user_id` {} NOT NULL", user_columns::own(ids)));
    let definition = format!("varchar(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''{ids}''");
    statements.extend(add_column(INSTALLATION, "user_id_type", &definition));
    statements
}

/// The number of an entry within its millisecond, which with its time is its id in the log.
fn add_order(_: &NewInstallation<'_>) -> Vec<String> {
    let number = "bigint unsigned NOT NULL DEFAULT 0 AFTER";
    [
        add_column(MESSAGE, "log_seq", &format!("{number} `time_ms`")),
        add_column(CLEARED, "cleared_seq", &format!("{number} `cleared_ms`")),
        add_column(CONVERSATION_CLEARED, "cleared_seq", &format!("{number} `cleared_ms`")),
    ]
    .concat()
}

fn record_since_when_conversations_count(_: &NewInstallation<'_>) -> Vec<String> {
    let column = |name| add_column(POSITION, name, "bigint unsigned DEFAULT NULL");
    ["parts_since_ms", "parts_since_seq"].map(column).concat()
}

/// Clients that are shown such a message once more must be told.
fn add_recalled(_: &NewInstallation<'_>) -> Vec<String> {
    add_column(CONFIRMED, "recalled", "tinyint unsigned NOT NULL DEFAULT 0")
}

/// How the table was used when it was decided. No column's name: a queue. NULL: a version before has decided.
fn add_usage(_: &NewInstallation<'_>) -> Vec<String> {
    let text = "COLLATE utf8mb4_bin DEFAULT NULL";
    [
        add_column(ADOPTION, "history_column", &format!("varchar(64) {text}")),
        add_column(ADOPTION, "history_value", &format!("text {text}")),
        add_column(ADOPTION, "history_waiting", &format!("text {text}")),
    ]
    .concat()
}

/// Up to which row id nothing waits that may become too old.
fn add_search(_: &NewInstallation<'_>) -> Vec<String> {
    add_column(ADOPTION, "nothing_waits_to", "bigint unsigned NOT NULL DEFAULT 0")
}

/// Users who are due are looked for by it.
fn record_exit(_: &NewInstallation<'_>) -> Vec<String> {
    let definition = "tinyint unsigned NOT NULL DEFAULT 0, ADD KEY `exit_offer_at` (`exit`,`offer_at`)";
    add_column(NOTIFIED, "exit", definition)
}

/// When telling has failed first. NULL: it has not.
fn record_first_try(_: &NewInstallation<'_>) -> Vec<String> {
    [NOTIFIED, WEBHOOK].map(|table| add_column(table, "tried_at", "bigint unsigned DEFAULT NULL")).concat()
}

/// Why the last try has failed.
fn record_errors(_: &NewInstallation<'_>) -> Vec<String> {
    let definition = format!("varchar({ERROR_CHARACTERS}) COLLATE utf8mb4_bin DEFAULT NULL");
    [NOTIFIED, WEBHOOK].map(|table| add_column(table, "error", &definition)).concat()
}

/// In a history a message that had none becomes a row if it is sent again. What a version before remembers counts
/// as stored.
fn add_had_row(_: &NewInstallation<'_>) -> Vec<String> {
    add_column(CONFIRMED, "had_row", "tinyint unsigned NOT NULL DEFAULT 1")
}

/// Adds a column, unless it is there, or the table is missing. MySQL has no `ADD COLUMN IF NOT EXISTS`.
fn add_column(table: &str, column: &str, definition: &str) -> Vec<String> {
    let found = format!(
        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() \
         AND table_name = '{table}' AND column_name = '{column}'"
    );
    let table_exists = format!(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() \
         AND table_name = '{table}'"
    );
    conditional(
        &format!("({found}) = 0 AND ({table_exists}) > 0"),
        &format!("ALTER TABLE `{table}` ADD COLUMN `{column}` {definition}"),
    )
}

/// A statement that is executed if the condition holds. It has no quotation marks.
fn conditional(condition: &str, statement: &str) -> Vec<String> {
    vec![
        format!("SET @chatpush_change = IF({condition}, '{statement}', 'DO 0')"),
        "PREPARE chatpush_change FROM @chatpush_change".to_owned(),
        "EXECUTE chatpush_change".to_owned(),
        "DEALLOCATE PREPARE chatpush_change".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_that_of_the_last_change() {
        let versions: Vec<_> = ALL.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=LATEST).collect::<Vec<_>>());
    }
}
