//! The messages that MySQL refused, so that a call that is repeated gets the answer of the first one.
//!
//! Once the refusal is recorded in Redis, the script that accepts messages gives that answer. A call that is
//! repeated before that, or after Redis lost the record, reaches the writer as a duplicate.

use std::collections::{HashMap, VecDeque};

use chatpush_wire::id::{MessageId, UserId};

use crate::store::StoreError;
use crate::store::writer_connection::WriterConnection;

/// How many messages are known at most: the last ones.
const MAX_MESSAGES: usize = 1_000;

/// The last refused messages, each with MySQL's error.
#[derive(Debug, Default)]
pub(super) struct RefusedMessages {
    errors: HashMap<(UserId, MessageId), String>,
    /// Oldest first; also those that were stored after all.
    order: VecDeque<(UserId, MessageId)>,
    loaded: bool,
}

impl RefusedMessages {
    /// Reads the dead letters of earlier terms, once.
    pub(super) async fn load(&mut self, mysql: &mut WriterConnection) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let later = std::mem::take(self);
        for (message, error) in mysql.refused_messages(MAX_MESSAGES).await? {
            self.add(message, error);
        }
        for message in later.order {
            if let Some(error) = later.errors.get(&message) {
                self.add(message, error.clone());
            }
        }
        self.loaded = true;
        Ok(())
    }

    /// Adds a message that MySQL refused.
    pub(super) fn add(&mut self, message: (UserId, MessageId), error: String) {
        if self.errors.insert(message.clone(), error).is_none() {
            self.order.push_back(message);
        }
        while self.order.len() > MAX_MESSAGES {
            if let Some(oldest) = self.order.pop_front() {
                self.errors.remove(&oldest);
            }
        }
    }

    /// Removes a message that was stored after all: it was requeued.
    pub(super) fn stored(&mut self, receiver: &UserId, id: &MessageId) {
        if !self.errors.is_empty() {
            self.errors.remove(&(receiver.clone(), id.clone()));
        }
    }

    /// MySQL's error, if it refused this message.
    pub(super) fn error(&self, receiver: &UserId, id: &MessageId) -> Option<&str> {
        if self.errors.is_empty() {
            return None;
        }
        self.errors.get(&(receiver.clone(), id.clone())).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64) -> (UserId, MessageId) {
        (UserId::try_from(2).unwrap(), MessageId::generate(number, [0; 10]))
    }

    #[test]
    fn the_last_refused_messages_are_known() {
        let mut refused = RefusedMessages::default();
        let known = |refused: &RefusedMessages, number| {
            let (receiver, id) = message(number);
            refused.error(&receiver, &id).map(str::to_owned)
        };
        for number in 0..=MAX_MESSAGES as u64 {
            refused.add(message(number), format!("error {number}"));
        }
        assert_eq!(known(&refused, 0), None, "the oldest one gave way");
        assert_eq!(known(&refused, 1), Some("error 1".to_owned()));
        refused.add(message(1), "again".to_owned());
        assert_eq!(known(&refused, 1), Some("again".to_owned()));
        let (receiver, id) = message(1);
        refused.stored(&receiver, &id);
        assert_eq!(known(&refused, 1), None, "it was stored after all");
        assert_eq!((refused.order.len(), refused.errors.len()), (MAX_MESSAGES, MAX_MESSAGES - 1));
    }
}
