//! What became of one message of one user, for operators.

use chatpush_wire::id::{MessageId, UserId};

use super::statements::{id_literal, quoted};
use super::{Store, StoreError, schema};

/// That a message waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Whether its sender has taken it back; else a client has confirmed it.
    pub(crate) recalled: bool,
}

impl Store {
    /// Whether a client has confirmed the message, or it was recalled, a short time ago
    /// (`redis.failover_memory`).
    pub(crate) async fn ended(&self, user: &UserId, id: &MessageId) -> Result<Option<Ended>, StoreError> {
        let sql = format!(
            "SELECT `confirmed_ms`, `recalled` FROM `{}` WHERE `receiver_id` = {} AND `message_id` = {}",
            schema::CONFIRMED,
            id_literal(user),
            quoted(id.as_str()),
        );
        let row = self.read(&[sql]).await?.into_iter().flatten().next();
        let found = row.and_then(|row| mysql_async::from_row_opt::<(u64, bool)>(row).ok());
        Ok(found.map(|(at, recalled)| Ended { at, recalled }))
    }

    /// Whether a row of the message waits.
    pub(crate) async fn waits(&self, user: &UserId, id: &MessageId) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT 1 FROM `{}` WHERE `receiver_id` = {} AND `message_id` = {} LIMIT 1",
            schema::MESSAGE,
            id_literal(user),
            quoted(id.as_str()),
        );
        Ok(self.read(&[sql]).await?.into_iter().flatten().next().is_some())
    }
}
