//! Messages that the database knows: stored ones, and those that it has refused.

use chatpush_wire::id::{MessageId, UserId};

use super::StoreError;
use super::statements::{ID_BYTES, dead_letter, in_statements, insert};
use super::writer_connection::WriterConnection;
use crate::log::batch::Known;

impl WriterConnection {
    /// Which of these messages are stored and not confirmed yet, or were confirmed or recalled a short time ago.
    pub(crate) async fn known(&mut self, messages: &[(&UserId, &MessageId)]) -> Result<Known, StoreError> {
        let (ids, mut known) = (self.tables.user_id_type, Known::default());
        // In a queue a message that was confirmed has no row.
        let is_history = self.tables.marking.is_some();
        for messages in
            in_statements(messages, self.server.statement_bytes / 2, |_| ID_BYTES + MessageId::MAX_BYTES + 8)
        {
            // A transaction of its own: the one that applies them must not read from its snapshot.
            let found = self.select(insert::stored(&self.tables, messages)).await?;
            for row in found {
                let found = mysql_async::from_row_opt::<(String, String, bool, bool)>(row);
                let Ok((receiver, id, recalled, had_row)) = found else { continue };
                let (Ok(receiver), Ok(id)) = (ids.text(&receiver), MessageId::try_from(id)) else { continue };
                if recalled {
                    known.recalled.insert((receiver.clone(), id.clone()));
                }
                let is_stored = had_row || !is_history;
                let messages = if is_stored { &mut known.stored } else { &mut known.confirmed_without_row };
                messages.insert((receiver, id));
            }
        }
        Ok(known)
    }

    /// The messages among the last dead letters with their errors, oldest first.
    pub(crate) async fn refused_messages(
        &mut self,
        most: usize,
    ) -> Result<Vec<((UserId, MessageId), String)>, StoreError> {
        let ids = self.tables.user_id_type;
        let found = self.select(dead_letter::refused_messages(most)).await?;
        let messages = found.into_iter().rev().filter_map(|row| {
            let (receivers, id, error) = mysql_async::from_row_opt::<(String, String, String)>(row).ok()?;
            let id = MessageId::try_from(id).ok()?;
            let receivers = receivers.split('\n').filter_map(|text| ids.text(text).ok());
            let messages = receivers.map(|receiver| ((receiver, id.clone()), error.clone()));
            Some(messages.collect::<Vec<_>>())
        });
        Ok(messages.flatten().collect())
    }
}
