//! Statements that are sent together and carried out in order, up to the first that fails: one round trip instead of one
//! for each (MySQL manual, "Multiple Statement Execution Support").

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::statements::STATEMENT_BYTES;
use super::{StoreError, bounded};

/// What the answer to a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it is done or it fails.
    Step,
    /// It fails if somebody else has written.
    Fence,
    /// How many rows it touched is wanted.
    Count,
    /// The rows are wanted.
    Rows,
}

/// Statements in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction(Vec<(Role, String)>);

/// What the statements said of which something is wanted, in order.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// By those with [`Role::Count`].
    pub(super) counts: Vec<u64>,
    /// By those with [`Role::Rows`].
    pub(super) rows: Vec<Row>,
}

/// MySQL manual, "Server Error Message Reference": `ER_BAD_NULL_ERROR`.
const NULL_REFUSED: u16 = 1048;

impl Transaction {
    pub(super) fn add(&mut self, role: Role, statement: impl Into<String>) {
        self.0.push((role, statement.into()));
    }

    /// Carries the statements out.
    ///
    /// # Errors
    ///
    /// That of the first statement that fails; those behind it are not carried out.
    pub(super) async fn run(self, connection: &mut Conn) -> Result<Answers, StoreError> {
        let mut answers = Answers::default();
        let mut statements = self.0.into_iter().peekable();
        while let Some((role, mut text)) = statements.next() {
            let mut roles = vec![role];
            while let Some((role, next)) =
                statements.next_if(|(_, next)| text.len() + next.len() <= STATEMENT_BYTES)
            {
                roles.push(role);
                text.push_str("; ");
                text.push_str(&next);
            }
            if !send(connection, text, &roles, &mut answers).await? {
                return Err(StoreError::Fenced);
            }
        }
        Ok(answers)
    }
}

/// Sends statements in one write and reads what each of them answers, each within the deadline. False: the fence was in
/// the way.
async fn send(
    connection: &mut Conn,
    text: String,
    roles: &[Role],
    answers: &mut Answers,
) -> Result<bool, StoreError> {
    let fenced = |at: usize, error: &Error| {
        let refused = matches!(error, Error::Server(error) if error.code == NULL_REFUSED);
        refused && roles.get(at) == Some(&Role::Fence)
    };
    let mut result = bounded(connection.query_iter(text)).await?;
    for (at, role) in roles.iter().enumerate() {
        let affected = result.affected_rows();
        // Reading an answer to its end brings the next. If that statement has failed, reading its answer says so.
        let read = async {
            match result.collect::<Row>().await {
                Err(error) if fenced(at, &error) => Ok(None),
                rows => rows.map(Some),
            }
        };
        let Some(rows) = bounded(read).await? else { return Ok(false) };
        match role {
            Role::Step | Role::Fence => {}
            Role::Count => answers.counts.push(affected),
            Role::Rows => answers.rows.extend(rows),
        }
    }
    Ok(true)
}
