//! Unread counters as clients get them, read over the writer's connection.

use std::collections::{BTreeMap, HashMap};

use chatpush_wire::id::UserId;
use chatpush_wire::limit::UNREAD_CONVERSATIONS;
use mysql_async::Row;

use super::StoreError;
use super::multi_statement::{MultiStatement, ResultUse};
use super::rows::Unread;
use super::statements::{counter, parts};
use super::tables::Tables;
use super::writer_connection::WriterConnection;

/// Most users of one transaction.
const USERS: usize = 256;

/// Adds the queries for the counters of these users. `locked`: this transaction has locked them.
pub(super) fn add(statements: &mut MultiStatement, tables: &Tables, users: &[&UserId], locked: bool) {
    statements.push(ResultUse::Rows, counter::select(tables, users, locked));
    if tables.unread_by_conversation {
        for user in users {
            statements.push(ResultUse::Parts, parts::select(user, UNREAD_CONVERSATIONS + 1));
        }
    }
}

/// The counters that these queries have found.
pub(super) fn found(tables: &Tables, totals: Vec<Row>, parts: Vec<Row>) -> Vec<(UserId, Unread)> {
    let ids = tables.user_id_type;
    let mut by: HashMap<UserId, BTreeMap<String, u64>> = HashMap::new();
    for row in parts {
        let Ok((user, conversation, count)) = mysql_async::from_row_opt::<(String, String, u64)>(row) else {
            continue;
        };
        let Ok(user) = ids.text(&user) else { continue };
        by.entry(user).or_default().insert(conversation, count);
    }
    let totals = totals.into_iter().filter_map(|row| {
        let (user, count) = mysql_async::from_row_opt::<(String, i64)>(row).ok()?;
        let user = ids.text(&user).ok()?;
        let count = u64::try_from(count).unwrap_or(0);
        // A total of 0 empties the parts.
        let parts = by.remove(&user).filter(|_| count > 0);
        let by = tables.unread_by_conversation.then(|| parts.unwrap_or_default());
        Some((user, Unread::new(count, by, UNREAD_CONVERSATIONS)))
    });
    totals.collect()
}

impl WriterConnection {
    /// The counters of these users.
    ///
    /// # Errors
    ///
    /// If a query fails.
    pub(crate) async fn counters(&mut self, users: &[&UserId]) -> Result<Vec<(UserId, Unread)>, StoreError> {
        let mut counters = Vec::new();
        for users in users.chunks(USERS) {
            let mut statements = MultiStatement::default();
            add(&mut statements, self.tables(), users, false);
            statements.push(ResultUse::Ignored, "COMMIT");
            let results = self.execute(statements).await?;
            counters.extend(found(self.tables(), results.rows, results.parts));
        }
        Ok(counters)
    }
}
