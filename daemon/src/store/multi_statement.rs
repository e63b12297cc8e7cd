//! Statements that are sent in one round trip and executed in order, up to the first that fails (MySQL
//! manual, "Multiple Statement Execution Support").

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::statements::STATEMENT_BYTES;
use super::{StoreError, bounded};

/// How the result of a statement is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResultUse {
    /// Not at all; the statement must only succeed.
    Ignored,
    /// The statement fails if another daemon has written.
    Fence,
    /// The number of affected rows is returned.
    AffectedRows,
    /// The rows are returned.
    Rows,
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
}

/// MySQL manual, "Server Error Message Reference": `ER_BAD_NULL_ERROR`.
const NULL_REFUSED: u16 = 1048;

impl MultiStatement {
    pub(super) fn push(&mut self, result_use: ResultUse, statement: impl Into<String>) {
        self.0.push((result_use, statement.into()));
    }

    /// Executes the statements. The error is that of the first one that fails; those after it are not
    /// executed.
    pub(super) async fn execute(self, connection: &mut Conn) -> Result<Results, StoreError> {
        let mut results = Results::default();
        let mut statements = self.0.into_iter().peekable();
        while let Some((result_use, mut text)) = statements.next() {
            let mut uses = vec![result_use];
            while let Some((result_use, next)) =
                statements.next_if(|(_, next)| text.len() + next.len() <= STATEMENT_BYTES)
            {
                uses.push(result_use);
                text.push_str("; ");
                text.push_str(&next);
            }
            if !send(connection, text, &uses, &mut results).await? {
                return Err(StoreError::Fenced);
            }
        }
        Ok(results)
    }
}

/// Sends statements in one write and reads their results. False if the fence failed.
async fn send(
    connection: &mut Conn,
    text: String,
    uses: &[ResultUse],
    results: &mut Results,
) -> Result<bool, StoreError> {
    let fenced = |at: usize, error: &Error| {
        let refused = matches!(error, Error::Server(error) if error.code == NULL_REFUSED);
        refused && uses.get(at) == Some(&ResultUse::Fence)
    };
    let mut result = bounded(connection.query_iter(text)).await?;
    for (at, result_use) in uses.iter().enumerate() {
        let affected = result.affected_rows();
        // Reading a result to its end moves on to the next one. If a statement failed, reading its result
        // fails.
        let read = async {
            match result.collect::<Row>().await {
                Err(error) if fenced(at, &error) => Ok(None),
                rows => rows.map(Some),
            }
        };
        let Some(rows) = bounded(read).await? else { return Ok(false) };
        match result_use {
            ResultUse::Ignored | ResultUse::Fence => {}
            ResultUse::AffectedRows => results.affected_rows.push(affected),
            ResultUse::Rows => results.rows.extend(rows),
        }
    }
    Ok(true)
}
