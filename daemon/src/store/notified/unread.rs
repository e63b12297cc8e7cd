//! Users with new unread messages, where users are told of these.

use chatpush_wire::id::UserId;
use mysql_async::Row;

use super::all;
use crate::store::StoreError;
use crate::store::multi_statement::{MultiStatement, ResultUse};
use crate::store::statements::notified;
use crate::store::writer_connection::WriterConnection;

/// Users in one statement.
const USERS: usize = 500;

impl WriterConnection {
    /// The time of MySQL's clock, in milliseconds since 1970.
    pub(crate) async fn now(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(all::<u64>(self.select(notified::NOW.to_owned()).await?).next())
    }

    /// Notes these users, who have new unread messages: `new` says how many since a time. Whoever has no more unread
    /// messages than those had read what somebody told of at that time, and is told again.
    ///
    /// # Errors
    ///
    /// As [`WriterConnection::execute`]. It may be repeated.
    pub(crate) async fn note_unread(
        &mut self,
        users: &[&UserId],
        new: impl Fn(&UserId, u64) -> u32,
    ) -> Result<(), StoreError> {
        for users in users.chunks(USERS) {
            let rows = self.select(notified::select_told_unread(self.tables(), users)).await?;
            let read: Vec<_> =
                self.told(rows).filter(|(user, at, unread)| *unread <= i64::from(new(user, *at))).collect();
            let read: Vec<_> = read.iter().map(|(user, at, _)| (user, *at)).collect();
            let mut statements = MultiStatement::default();
            for statement in notified::note_unread(users, &read) {
                statements.push(ResultUse::Ignored, statement);
            }
            statements.push(ResultUse::Ignored, "COMMIT");
            self.execute(statements).await?;
        }
        Ok(())
    }

    fn told(&self, rows: Vec<Row>) -> impl Iterator<Item = (UserId, u64, i64)> {
        let ids = self.tables().user_id_type;
        all::<(String, u64, i64)>(rows)
            .filter_map(move |(user, at, unread)| Some((ids.text(&user).ok()?, at, unread)))
    }
}
