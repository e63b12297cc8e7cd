//! How much room is left in mailboxes, if they have a limit (`mailbox.max_messages`).
//!
//! Only this writer stores messages, so a mailbox is counted once, and then every message that goes there. What
//! the application inserts or deletes itself is seen when it is counted again.

use std::collections::HashMap;
use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::id::UserId;
use tokio::time::Instant;

use crate::log::batch::{Batch, LogEntry};
use crate::store::StoreError;
use crate::store::writer_connection::WriterConnection;

/// How long a mailbox that was full is not counted again.
const FULL_TIME: Duration = Duration::from_secs(1);

/// How long a mailbox that had room is not counted again.
const COUNTED_TIME: Duration = Duration::from_secs(60);

/// Most mailboxes whose room is remembered.
const MAX_MAILBOXES: usize = 100_000;

/// What is known of the mailboxes.
#[derive(Debug)]
pub(super) struct Mailboxes {
    most: Option<u32>,
    known: HashMap<UserId, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    room: u32,
    counted: Instant,
}

impl Known {
    /// Whether that is still good enough to decide about that many messages.
    fn serves(&self, messages: u32) -> bool {
        let time = if self.room >= messages { COUNTED_TIME } else { FULL_TIME };
        self.counted.elapsed() < time
    }
}

impl Mailboxes {
    /// Nothing is known yet. Without `most` there is no limit.
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { most, known: HashMap::new() }
    }

    /// How many messages each receiver of these entries may get who was not connected. Whoever is missing has no
    /// limit.
    pub(super) async fn room(
        &mut self,
        mysql: &mut WriterConnection,
        entries: &[LogEntry],
    ) -> Result<HashMap<UserId, u32>, StoreError> {
        let Some(most) = self.most else { return Ok(HashMap::new()) };
        let mut messages: HashMap<&UserId, u32> = HashMap::new();
        for receiver in entries.iter().flat_map(offline) {
            *messages.entry(receiver).or_default() += 1;
        }
        let unknown = |(user, messages): &(&&UserId, &u32)| {
            self.known.get(**user).is_none_or(|known| !known.serves(**messages))
        };
        let uncounted: Vec<_> = messages.iter().filter(unknown).map(|(user, _)| *user).collect();
        if !uncounted.is_empty() {
            if self.known.len() + uncounted.len() > MAX_MAILBOXES {
                self.known.clear();
            }
            let counted = Instant::now();
            for (user, waiting) in mysql.waiting(&uncounted, most).await? {
                self.known.insert(user, Known { room: most.saturating_sub(waiting), counted });
            }
        }
        let room = messages.keys().filter_map(|user| Some(((*user).clone(), self.known.get(*user)?.room)));
        Ok(room.collect())
    }

    /// Records that a batch was committed.
    pub(super) fn committed(&mut self, batch: &Batch<'_>) {
        if self.known.is_empty() {
            return;
        }
        for insert in &batch.inserts {
            if let Some(known) = self.known.get_mut(insert.receiver) {
                known.room = known.room.saturating_sub(1);
            }
        }
        let removed = batch.client_acks.iter().map(|(user, _)| *user);
        let removed = removed.chain(batch.app_deletes.iter().map(|delete| delete.receiver));
        let removed = removed.chain(batch.recalls.iter().map(|recall| recall.receiver));
        let removed = removed.chain(batch.withdrawn.iter().map(|(user, _)| *user));
        for user in removed.chain(batch.forgets.iter().map(|(_, user)| *user)) {
            self.known.remove(user);
        }
    }

    /// Records that old messages of these users were removed.
    pub(super) fn removed<'a>(&mut self, users: impl IntoIterator<Item = &'a UserId>) {
        for user in users {
            self.known.remove(user);
        }
    }
}

/// The receivers of a message who were not connected when it was accepted.
fn offline(logged: &LogEntry) -> impl Iterator<Item = &UserId> {
    let (one, many) = match &logged.entry {
        Ok(Entry::Message { receiver, receiver_online: false, .. }) => (Some(receiver), None),
        Ok(Entry::MessageToMany { receivers, .. }) => (None, Some(receivers)),
        _ => (None, None),
    };
    let many = many.into_iter().flatten().filter(|receiver| !receiver.online && !receiver.repeated);
    one.into_iter().chain(many.map(|receiver| &receiver.user))
}
