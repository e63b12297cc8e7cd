//! What becomes of the rows that were in the message table before chatpush used it for the first time.
//!
//! Nothing is delivered or deleted that the operator did not mean to be: while such rows wait and nobody has
//! decided, no daemon uses the table. The decision is recorded with the highest row id of that moment. Rows that
//! the application inserts later are delivered as ever.

mod usage;

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::schema::{ADOPTION, MESSAGE};
use super::statements::quoted;
use super::tables::Tables;
use super::{Store, StoreError, bounded, identity};
use crate::config::{Mysql, Names};
use crate::log::batch::BATCH_ROWS;
pub(crate) use usage::Usage;

/// How many rows one statement looks at.
const STEP: u64 = 20_000;

/// How long a transaction that has inserted rows is waited for.
const IN_FLIGHT_TIMEOUT: Duration = Duration::from_secs(10);

/// What becomes of rows that were there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// There were none.
    New,
    /// They are delivered.
    Deliver,
    /// They count as delivered: marked in a history, else deleted.
    Mark,
    /// They are left alone.
    Keep,
}

impl Decision {
    /// The word in the database, which is also the option of the command.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Deliver => "deliver",
            Self::Mark => "mark",
            Self::Keep => "keep",
        }
    }
}

/// A decision that was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Adoption {
    /// Its word.
    pub(crate) decision: String,
    /// The highest row id at that time.
    pub(crate) highest: u64,
    /// How the table was used then; none if an older version has recorded it.
    pub(crate) usage: Option<Usage>,
}

/// The rows that were there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OldRows {
    /// How many of them wait.
    pub(crate) waiting: u64,
    /// The highest id of all rows.
    pub(crate) highest: u64,
}

/// The commands that decide, with what `--mark` does to the rows.
pub(crate) const fn commands(is_history: bool) -> &'static str {
    if is_history {
        "`chatpushd adopt --deliver`, `--mark` (they count as delivered already and are marked) or `--keep` (they \
         are left alone)"
    } else {
        "`chatpushd adopt --deliver`, `--mark --delete` (DELETES these rows; if this table is your history, set \
         [mysql.history] first) or `--keep` (they are left alone)"
    }
}

impl Adoption {
    /// Why another decision is refused.
    fn stands(&self, table: &str, decision: Decision) -> String {
        let known = if self.decision == Decision::New.word() {
            "chatpush has used it since it had no rows that waited".to_owned()
        } else {
            format!("`chatpushd adopt --{}` was given for it, up to row {}", self.decision, self.highest)
        };
        let becomes = match decision {
            Decision::Mark => "count as delivered and are never sent",
            Decision::Keep => "are left alone and never sent",
            Decision::New | Decision::Deliver => "are sent",
        };
        let used = self.usage.as_ref().map(|usage| format!(", as {usage}")).unwrap_or_default();
        format!(
            "it was decided before what becomes of the rows in {table}: {known}{used}. With --again, all rows that \
             the application has inserted since then and that wait {becomes}. Messages that chatpush has stored \
             are delivered as ever"
        )
    }

    /// The decision for a message table, if there is one.
    pub(crate) async fn read(connection: &mut Conn, table: &str) -> Result<Option<Self>, StoreError> {
        type Row = (String, u64, Option<String>, Option<String>, Option<String>);
        let sql = format!(
            "SELECT `decision`, `highest_id`, {} FROM `{ADOPTION}` WHERE `table_name` = ?",
            usage::COLUMNS.join(", ")
        );
        let found: Option<Row> = bounded(connection.exec_first(sql, (table,))).await?;
        Ok(found.map(|(decision, highest, column, value, waiting)| Self {
            decision,
            highest,
            usage: Usage::of_columns(column, value, waiting),
        }))
    }

    /// Whether it was decided about a table that is used as the settings say.
    pub(crate) fn is_for(&self, mysql: &Mysql) -> bool {
        self.usage.as_ref().is_some_and(|usage| usage.is_same(&Usage::of(mysql)))
    }

    /// Rows up to this id are left alone. Ids that are given again, after a TRUNCATE, belong to new rows, which
    /// ends that.
    pub(super) async fn kept(
        &self,
        connection: &mut Conn,
        mysql: &Mysql,
        tables: &Tables,
    ) -> Result<u64, StoreError> {
        if self.decision != Decision::Keep.word() || self.highest == 0 {
            return Ok(0);
        }
        let table = &tables.offline_message;
        let sql = format!("SELECT COALESCE(MAX({}), 0) FROM {table}", tables.id);
        let highest: Option<u64> = bounded(connection.query_first(sql)).await?;
        if highest.is_none_or(|highest| highest >= self.highest) {
            return Ok(self.highest);
        }
        // The newest rows were deleted, or all of them with a TRUNCATE. information_schema may be out of date
        // (MySQL manual, "information_schema_stats_expiry").
        let created: Option<(String, String)> =
            bounded(connection.query_first(format!("SHOW CREATE TABLE {table}"))).await?;
        let created = created.map(|(_, statement)| statement).unwrap_or_default();
        let next = created.rsplit_once(" AUTO_INCREMENT=").and_then(|(_, rest)| {
            rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u64>().ok()
        });
        if next.is_some_and(|next| next > self.highest) {
            return Ok(self.highest);
        }
        record(connection, mysql, Decision::Deliver, 0).await?;
        Ok(0)
    }

    /// Whether chatpush has stored rows up to the id `kept`: that was decided again while they waited.
    pub(super) async fn has_own(connection: &mut Conn, kept: u64) -> Result<bool, StoreError> {
        if kept == 0 {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM `{MESSAGE}` WHERE `offline_id` <= {kept} LIMIT 1");
        let found: Option<u8> = bounded(connection.query_first(sql)).await?;
        Ok(found.is_some())
    }
}

/// Records a decision, and how the table is used.
async fn record(
    connection: &mut Conn,
    mysql: &Mysql,
    decision: Decision,
    highest: u64,
) -> Result<(), StoreError> {
    let sql = format!(
        "REPLACE INTO `{ADOPTION}` (`table_name`, `decision`, `highest_id`, `decided_at`, {}) \
         VALUES ({}, '{}', {highest}, NOW(), {})",
        usage::COLUMNS.join(", "),
        quoted(mysql.names.offline_message.bare()),
        decision.word(),
        Usage::of(mysql).values().join(", "),
    );
    bounded(connection.query_drop(sql)).await
}

/// The condition that our records do not name a row `o`, and that it waits.
fn is_old(tables: &Tables) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM `{MESSAGE}` m WHERE {}){}",
        identity::record_of_row(tables),
        tables.waits("o.")
    )
}

/// Whether the message table has any row.
pub(crate) async fn has_rows(connection: &mut Conn, names: &Names) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", names.offline_message);
    let found: Option<u8> = bounded(connection.query_first(sql)).await?;
    Ok(found.is_some())
}

/// Counts the rows that wait and that chatpush has not stored, up to `most` or a few more, in bounded steps.
pub(crate) async fn count(connection: &mut Conn, tables: &Tables, most: u64) -> Result<OldRows, StoreError> {
    count_to(connection, tables, most, u64::MAX).await
}

/// As [`count`], among the rows up to an id.
async fn count_to(
    connection: &mut Conn,
    tables: &Tables,
    most: u64,
    last_id: u64,
) -> Result<OldRows, StoreError> {
    let (table, id) = (&tables.offline_message, &tables.id);
    let mut rows = OldRows { waiting: 0, highest: tables.kept };
    while rows.waiting <= most {
        let sql = format!(
            "SELECT MAX(s.`id`), COUNT(*), COALESCE(SUM(s.`old`), 0) FROM \
             (SELECT o.{id} AS `id`, COALESCE({old}, 0) AS `old` FROM {table} o WHERE o.{id} > {after} AND o.{id} <= {last_id} \
             ORDER BY o.{id} LIMIT {STEP}) s",
            old = is_old(tables),
            after = rows.highest,
        );
        let found: Option<(Option<u64>, u64, u64)> = bounded(connection.query_first(sql)).await?;
        let Some((Some(last), count, waiting)) = found else { break };
        rows.highest = last;
        rows.waiting += waiting;
        if count < STEP {
            break;
        }
    }
    Ok(rows)
}

/// The id of the newest row, once every row up to it can be seen: an open transaction of the application may have
/// inserted one before it. Reading such a row with a lock waits until that transaction ends.
async fn newest(connection: &mut Conn, tables: &Tables) -> Result<u64, StoreError> {
    let (table, id) = (&tables.offline_message, &tables.id);
    let newest = format!("SELECT COALESCE(MAX({id}), 0) FROM {table}");
    let newest: u64 = bounded(connection.query_first(newest)).await?.unwrap_or(0);
    // Without it, rows that are inserted behind the newest one would wait.
    bounded(connection.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")).await?;
    let read = format!(
        "SELECT COUNT(*) FROM {table} WHERE {id} > {} AND {id} <= {newest} FOR UPDATE",
        newest.saturating_sub(STEP)
    );
    let started = Instant::now();
    loop {
        match bounded(connection.query_drop(&read)).await {
            Ok(()) => return Ok(newest),
            Err(StoreError::Busy(_)) if started.elapsed() < IN_FLIGHT_TIMEOUT => {}
            Err(StoreError::Busy(_)) => {
                return Err(StoreError::Unfit(format!(
                    "an open transaction has changed or inserted rows of {} and does not end: stop what writes \
                     there, and run this again. Nothing was decided",
                    table.bare()
                )));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Store {
    /// Makes sure that somebody has decided about the rows that are in the message table, as it is used now.
    /// If there are none that wait, nothing is to be decided, and that is recorded.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`] if nobody has, or the table was used in another way; it names the command.
    pub(crate) async fn require_adoption(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let required = self.require_adoption_over(&mut connection).await;
        bounded(connection.disconnect()).await?;
        required
    }

    /// As [`Store::require_adoption`], over this connection.
    pub(super) async fn require_adoption_over(&self, connection: &mut Conn) -> Result<(), StoreError> {
        self.installation_row(connection).await?;
        let (tables, _) = Tables::inspect(connection, self.mysql()).await?;
        self.tried_values.require(connection, &tables).await?;
        let (mysql, table) = (self.mysql(), tables.offline_message.bare());
        let mut found = Adoption::read(connection, table).await?;
        if found.as_ref().is_some_and(|adoption| adoption.usage.is_none()) {
            usage::complete(connection, mysql).await?;
            found = Adoption::read(connection, table).await?;
        }
        if let Some(adoption) = found {
            if adoption.is_for(mysql) {
                return Ok(());
            }
            if let Some(usage) = adoption.usage
                && has_rows(connection, &tables).await?
            {
                return Err(StoreError::Unfit(usage.differs(mysql)));
            }
            return record(connection, mysql, Decision::New, 0).await;
        }
        let rows = count(connection, &tables, 0).await?;
        if rows.waiting == 0 {
            return record(connection, mysql, Decision::New, rows.highest).await;
        }
        let becomes = match tables.marking {
            Some(_) => "marked as delivered",
            None => "DELETED",
        };
        Err(StoreError::Unfit(format!(
            "the table {table} has at least {count} rows that chatpush has not stored. They would be sent to their receivers and \
             then {becomes}. Say what becomes of them, once: {commands}",
            count = rows.waiting,
            commands = commands(tables.marking.is_some()),
        )))
    }

    /// Decides about the rows that are in the message table now and that chatpush has not stored. `progress` is
    /// called after each step, with the number of rows that are done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unfit`] if that was decided before, unless `again` is set.
    pub(crate) async fn adopt(
        &self,
        decision: Decision,
        again: bool,
        progress: impl Fn(u64),
    ) -> Result<OldRows, StoreError> {
        let mut connection = self.connection().await?;
        self.installation_row(&mut connection).await?;
        let (tables, _) = Tables::inspect(&mut connection, self.mysql()).await?;
        self.tried_values.require(&mut connection, &tables).await?;
        let table = tables.offline_message.bare();
        let before = Adoption::read(&mut connection, table).await?;
        if let Some(before) = before.as_ref().filter(|_| !again) {
            return Err(StoreError::Unfit(before.stands(table, decision)));
        }
        if let Some(usage) = before.and_then(|before| before.usage) {
            usage::keep_waiting(&mut connection, self.mysql(), &usage, &tables).await?;
        }
        let newest = newest(&mut connection, &tables).await?;
        let mut rows = count_to(&mut connection, &tables, u64::MAX, newest).await?;
        if decision == Decision::Mark {
            rows.waiting = mark(&mut connection, &tables, rows.highest, progress).await?;
        }
        record(&mut connection, self.mysql(), decision, rows.highest).await?;
        bounded(connection.disconnect()).await?;
        Ok(rows)
    }
}

/// Marks the old rows up to an id as delivered, or deletes them, in bounded steps. Returns how many there were.
async fn mark(
    connection: &mut Conn,
    tables: &Tables,
    highest: u64,
    progress: impl Fn(u64),
) -> Result<u64, StoreError> {
    let (table, id) = (&tables.offline_message, &tables.id);
    let (mut after, mut done) = (0, 0);
    loop {
        let select = format!(
            "SELECT o.{id} FROM {table} o WHERE o.{id} > {after} AND o.{id} <= {highest} AND {} \
             ORDER BY o.{id} LIMIT {BATCH_ROWS}",
            is_old(tables)
        );
        let ids: Vec<u64> = bounded(connection.query(select)).await?;
        let Some(last) = ids.last() else { return Ok(done) };
        after = *last;
        let ids = super::statements::list(&ids);
        let sql = match &tables.marking {
            Some(marking) => {
                format!(
                    "UPDATE {table} o SET {} WHERE o.{id} IN ({ids}){}",
                    marking.set("o."),
                    tables.waits("o.")
                )
            }
            None => format!("DELETE FROM {table} WHERE {id} IN ({ids})"),
        };
        bounded(connection.query_drop(sql)).await?;
        done += connection.affected_rows();
        progress(done);
    }
}
