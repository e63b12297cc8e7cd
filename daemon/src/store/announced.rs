//! Users of whom the application was told that they are online. What is recorded of a user and the event that the
//! application is told of change together, so neither is ever without the other.

use chatpush_wire::id::UserId;

use super::statements::announced;
use super::transaction::COMMIT;
use super::{Store, StoreError};
use crate::config::Event;

/// A user of whom the application was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// The user.
    pub(crate) user: UserId,
    /// When they have connected last. Each connection changes it.
    pub(crate) connected_ms: u64,
}

/// The beginning of a transaction.
const BEGIN: &str = "START TRANSACTION";

impl Store {
    /// These users have connected. An event is queued for those of whom the application does not know it. It may be
    /// repeated.
    ///
    /// # Errors
    ///
    /// As [`Store::change`]; then nothing was recorded.
    pub(crate) async fn record_online(&self, users: &[UserId], now: u64) -> Result<(), StoreError> {
        let mut users: Vec<_> = users.iter().collect();
        if users.is_empty() {
            return Ok(());
        }
        // One order for all, which avoids deadlocks.
        users.sort_unstable();
        let mark = fastrand::u64(..);
        let mut statements = vec![BEGIN.to_owned(), announced::connected(&users, now, mark)];
        if self.names().events.has(Event::Online) {
            statements.push(announced::queue_online(&users, mark));
        }
        statements.push(COMMIT.to_owned());
        self.change(&statements).await.map(drop)
    }

    /// These users have no connection any more, unless they have connected again since they were read. An event is
    /// queued for each.
    ///
    /// # Errors
    ///
    /// As [`Store::record_online`].
    pub(crate) async fn record_offline(&self, gone: &[Announced], now: u64) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        let seen: Vec<_> = gone.iter().map(|gone| (&gone.user, gone.connected_ms)).collect();
        let mut statements = vec![BEGIN.to_owned()];
        if self.names().events.has(Event::Offline) {
            statements.push(announced::queue_offline(&seen, now));
        }
        statements.extend([announced::delete(&seen), COMMIT.to_owned()]);
        self.change(&statements).await.map(drop)
    }

    /// The next users of whom the application was told, behind one of them, at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub(crate) async fn announced(
        &self,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Announced>, StoreError> {
        let ids = self.names().user_id_type;
        let rows = self.read(&[announced::select(after, limit)]).await?.into_iter().flatten();
        let rows = rows.filter_map(|row| {
            let (user, connected_ms) = mysql_async::from_row_opt::<(String, u64)>(row).ok()?;
            Some(Announced { user: ids.text(&user).ok()?, connected_ms })
        });
        Ok(rows.collect())
    }

    /// Those of these users of whom the application was not told.
    ///
    /// # Errors
    ///
    /// As [`Store::read`].
    pub(crate) async fn not_announced(&self, users: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let wanted: Vec<_> = users.iter().collect();
        let ids = self.names().user_id_type;
        let rows = self.read(&[announced::select_of(&wanted)]).await?.into_iter().flatten();
        let known: std::collections::BTreeSet<UserId> =
            rows.filter_map(|row| ids.text(&mysql_async::from_row_opt::<String>(row).ok()?).ok()).collect();
        Ok(users.iter().filter(|user| !known.contains(*user)).cloned().collect())
    }
}
