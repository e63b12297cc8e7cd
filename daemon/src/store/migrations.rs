//! The numbered changes of chatpush's own tables. A change is never edited after it was released; a new one
//! is added at the end.

use crate::config::Names;
use crate::store::schema::{self, INSTALLATION};

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
pub(crate) const ALL: &[Migration] =
    &[Migration { version: 1, summary: "created the tables of chatpush", statements: create_tables }];

/// The version that this program works with.
pub(crate) const LATEST: u16 = 1;

/// Records that the tables have a version.
pub(crate) fn record(version: u16) -> String {
    format!("UPDATE `{INSTALLATION}` SET `schema_version` = {version} WHERE `id` = 1")
}

fn create_tables(NewInstallation { names, uuid, prefix }: &NewInstallation<'_>) -> Vec<String> {
    let own = schema::tables(names).into_iter().filter(|table| !table.application);
    let mut statements: Vec<_> = own.filter_map(|table| table.create).collect();
    statements.push(schema::positions());
    // A UUID and a prefix have no character that needs quoting.
    statements.push(format!(
        "INSERT IGNORE INTO `{INSTALLATION}` (`id`, `uuid`, `prefix`, `schema_version`) \
         VALUES (1, '{uuid}', '{prefix}', 0)"
    ));
    statements
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
