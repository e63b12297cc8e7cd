//! Removal, step by step, of what conversations count no longer.

use std::collections::BTreeSet;

use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;

use super::StoreError;
use super::multi_statement::{MultiStatement, ResultUse};
use super::schema::CONVERSATION_CLEARED;
pub(crate) use super::statements::part_keys::PartKey;
use super::statements::part_keys::{self, Step};
use super::statements::{counter, parts};
use super::writer_connection::{Locks, WriterConnection};
use crate::config::UNREAD;
use crate::log::position::Position;

/// Most rows of a table in one step.
const STEP: u32 = 1_000;

impl WriterConnection {
    /// Prepares what conversations count for this term. If they have just begun to, what is there is older, and wrong
    /// by what came meanwhile: it is deleted, and messages from before do not count for a conversation.
    ///
    /// # Errors
    ///
    /// If a statement fails. It can be called again.
    pub(crate) async fn prepare_parts(&mut self) -> Result<(), StoreError> {
        let found = self.select(part_keys::select_counting()).await?;
        let found = found.into_iter().find_map(|row| mysql_async::from_row_opt::<u8>(row).ok());
        let counts = self.tables().unread_by_conversation;
        if found == Some(if counts { Partition::COUNT } else { 0 }) {
            return Ok(());
        }
        if counts {
            for table in [UNREAD, CONVERSATION_CLEARED] {
                let mut after = None;
                while let Some(last) = self.next_keys(table, after.as_ref()).await?.pop() {
                    let step = Step { after: after.as_ref(), last: &last };
                    self.change(part_keys::delete(table, step), STEP as usize).await?;
                    after = Some(last);
                }
            }
        }
        self.change(part_keys::record_counting(counts), 1).await.map(drop)
    }

    /// Deletes those of the next clears of conversations, from behind `after` on, that no recall needs any more.
    /// Returns the key of the last one, or none at the end of the table.
    pub(crate) async fn sweep_conversation_clears(
        &mut self,
        after: Option<PartKey>,
    ) -> Result<Option<PartKey>, StoreError> {
        if !self.tables().has(CONVERSATION_CLEARED) {
            return Ok(None);
        }
        let mut keys = self.next_keys(CONVERSATION_CLEARED, after.as_ref()).await?;
        let more = keys.len() == STEP as usize;
        let Some(last) = keys.pop() else { return Ok(None) };
        let step = Step { after: after.as_ref(), last: &last };
        self.change(part_keys::delete_clears(step), STEP as usize).await?;
        Ok(Some(last).filter(|_| more))
    }

    /// Deletes those of the next counters of ours, from behind `after` on, that count nothing. Returns the key of the
    /// last one, or none at the end of the table. If the application has locked a user of them, they stay until the
    /// next time. `applied` is the position of a user's partition.
    pub(crate) async fn sweep_parts(
        &mut self,
        after: Option<PartKey>,
        applied: impl Fn(&UserId) -> Position,
    ) -> Result<Option<PartKey>, StoreError> {
        if !self.tables().has(UNREAD) {
            return Ok(None);
        }
        let mut keys = self.next_keys(UNREAD, after.as_ref()).await?;
        let more = keys.len() == STEP as usize;
        let users: BTreeSet<_> = keys.iter().map(|key| key.user.clone()).collect();
        let Some(last) = keys.pop() else { return Ok(None) };
        let step = Step { after: after.as_ref(), last: &last };
        let mut statements = MultiStatement::default();
        self.set_locks(&mut statements, Locks::NoWait);
        let tables = self.tables();
        if !tables.own_counter {
            let users: Vec<_> = users.iter().collect();
            statements.push(ResultUse::Ignored, counter::lock(tables, &users, Locks::NoWait));
        }
        if tables.unread_by_conversation {
            let cleared: Vec<_> = users.iter().map(|user| (user, applied(user))).collect();
            statements.push(ResultUse::Ignored, parts::record_emptied(tables, &cleared));
        }
        for statement in part_keys::delete_counted_out(tables, step) {
            statements.push(ResultUse::Ignored, statement);
        }
        statements.push(ResultUse::Ignored, "COMMIT");
        match self.execute_within(self.limit(STEP as usize), statements).await {
            Err(error) if !error.is_locked() => Err(error),
            _ => Ok(Some(last).filter(|_| more)),
        }
    }

    /// The next keys of a table.
    async fn next_keys(&mut self, table: &str, after: Option<&PartKey>) -> Result<Vec<PartKey>, StoreError> {
        let ids = self.tables().user_id_type;
        let found = self.select(part_keys::select(table, after, STEP)).await?;
        let keys = found.into_iter().filter_map(|row| {
            let (user, conversation) = mysql_async::from_row_opt::<(String, String)>(row).ok()?;
            Some(PartKey { user: ids.text(&user).ok()?, conversation })
        });
        Ok(keys.collect())
    }
}
