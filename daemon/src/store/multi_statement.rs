//! Statements that are sent in one round trip and executed in order, up to the first that fails (MySQL
//! manual, "Multiple Statement Execution Support").

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::StoreError;
use super::error::Rejection;

/// What a statement is for: how its result is used, and what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultUse {
    /// The result is not used; the statement must only succeed.
    Ignored,
    /// The statement fails with NULL if another daemon has written, or with a subquery of two rows if the
    /// server refuses writes.
    Fence,
    /// The statement fails with NULL if the server has taken the transaction away.
    LastFence,
    /// The statement fails with a subquery of two rows if the application has set a total to 0, and conversations still
    /// count.
    Totals,
    /// The statement fails with NULL, or with a duplicate key, if a row or its record is not as expected.
    Record,
    /// The statement fails with NULL if MySQL has given a new row no id.
    RowId,
    /// The number of affected rows is returned.
    AffectedRows,
    /// The rows are returned.
    Rows,
    /// The rows are returned, apart from the others.
    Delivered,
    /// The rows are returned apart from the others.
    Parts,
}

/// Statements in order.
#[derive(Clone, Debug, Default)]
pub(super) struct MultiStatement(Vec<(ResultUse, String)>);

/// The results that are used, in the order of the statements.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// One for each [`ResultUse::AffectedRows`].
    pub(super) affected_rows: Vec<u64>,
    /// All rows of the statements with [`ResultUse::Rows`].
    pub(super) rows: Vec<Row>,
    /// All rows of the statements with [`ResultUse::Delivered`].
    pub(super) delivered: Vec<Row>,
    /// All rows of the statements with [`ResultUse::Parts`].
    pub(super) parts: Vec<Row>,
}

/// MySQL manual, "Server Error Message Reference": `ER_BAD_NULL_ERROR`.
const NULL_REFUSED: u16 = 1048;

/// MySQL manual, "Server Error Message Reference": `ER_DUP_ENTRY`.
const DUPLICATE_KEY: u16 = 1062;

/// MySQL manual, "Server Error Message Reference": `ER_SUBQUERY_NO_1_ROW`.
pub(super) const SUBQUERY_ROWS: u16 = 1242;

impl MultiStatement {
    pub(super) fn push(&mut self, result_use: ResultUse, statement: impl Into<String>) {
        self.0.push((result_use, statement.into()));
    }

    /// Executes the statements. The error is that of the first one that fails; those after it are not
    /// executed. No text is longer than `most` bytes; a statement that is longer is refused. The caller limits the time.
    pub(super) async fn execute(self, connection: &mut Conn, most: usize) -> Result<Results, StoreError> {
        if let Some((_, long)) = self.0.iter().find(|(_, text)| text.len() > most) {
            let bytes = long.len();
            return Err(StoreError::Rejected(Rejection::TooLong { bytes, most }));
        }
        let mut results = Results::default();
        let mut statements = self.0.into_iter().peekable();
        while let Some((result_use, mut text)) = statements.next() {
            let mut uses = vec![result_use];
            while let Some((result_use, next)) =
                statements.next_if(|(_, next)| text.len() + 2 + next.len() <= most)
            {
                uses.push(result_use);
                text.push_str("; ");
                text.push_str(&next);
            }
            send(connection, text, &uses, &mut results).await?;
        }
        Ok(results)
    }
}

/// Sends statements in one write and reads their results.
async fn send(
    connection: &mut Conn,
    text: String,
    uses: &[ResultUse],
    results: &mut Results,
) -> Result<(), StoreError> {
    let first = uses.first().copied().unwrap_or(ResultUse::Ignored);
    let mut result = connection.query_iter(text).await.map_err(|error| because(first, error.into()))?;
    for result_use in uses {
        let affected = result.affected_rows();
        // Reading a result to its end moves on to the next one. If a statement failed, reading its result
        // fails.
        let rows = result.collect::<Row>().await.map_err(|error| because(*result_use, error.into()))?;
        match result_use {
            ResultUse::Ignored
            | ResultUse::Fence
            | ResultUse::LastFence
            | ResultUse::Totals
            | ResultUse::Record
            | ResultUse::RowId => {}
            ResultUse::AffectedRows => results.affected_rows.push(affected),
            ResultUse::Rows => results.rows.extend(rows),
            ResultUse::Delivered => results.delivered.extend(rows),
            ResultUse::Parts => results.parts.extend(rows),
        }
    }
    Ok(())
}

/// What the failure of a statement means.
fn because(result_use: ResultUse, error: StoreError) -> StoreError {
    match (result_use, error.code()) {
        (ResultUse::Fence, Some(NULL_REFUSED | SUBQUERY_ROWS)) => StoreError::Fenced,
        (ResultUse::LastFence, Some(NULL_REFUSED)) => StoreError::Aborted,
        (ResultUse::Totals, Some(SUBQUERY_ROWS)) => StoreError::Emptied,
        (ResultUse::Record, Some(NULL_REFUSED | DUPLICATE_KEY)) => StoreError::Unrecorded,
        (ResultUse::RowId, Some(NULL_REFUSED)) => StoreError::Rejected(Rejection::NoRowId),
        _ => error,
    }
}
