//! Users with new unread messages who are not noted yet, where users are told of these.
//!
//! They are noted some at a time, behind the commits: in each transaction that would cost a store a fifth. The next writer
//! takes those that this process has not noted from the logs, where entries stay until then, at most for a minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatpush_wire::entry::EntryKind;
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::partition::Partition;
use tokio::time::Instant;

use super::batch::Batch;
use super::position::Position;
use super::receivers::EntryHead;

/// Most messages of a user that are counted.
const MESSAGES: usize = 10_000;

/// A new message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct New {
    /// When it was accepted or a little later, in milliseconds of Redis's clock.
    time_ms: u64,
    /// None if it is not known.
    id: Option<MessageId>,
}

/// The messages of a user.
#[derive(Clone, Debug)]
pub(crate) struct NewMessages {
    since: Instant,
    messages: Vec<New>,
}

impl NewMessages {
    /// How many were accepted after a time, in milliseconds of Redis's clock.
    pub(crate) fn after(&self, time_ms: u64) -> usize {
        self.messages.iter().filter(|new| new.time_ms > time_ms).count()
    }
}

/// Users who wait to be noted.
#[derive(Debug, Default)]
pub(crate) struct NewlyUnread {
    /// A plain mutex: nothing awaits while holding it.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    users: BTreeMap<UserId, NewMessages>,
    /// Since when somebody waits.
    since: Option<Instant>,
    /// The entries of each log that were added, behind the first position up to the second.
    added: BTreeMap<Partition, (Position, Position)>,
}

impl NewlyUnread {
    /// Adds the messages of a batch that was committed, and takes out those that it has recalled.
    pub(crate) fn add(&self, batch: &Batch<'_>) {
        let mut waiting = self.waiting();
        for update in &batch.positions {
            let added = waiting.added.entry(update.partition).or_insert((update.from, update.from));
            *added = (if added.1 == update.from { added.0 } else { update.from }, update.to);
        }
        for recall in &batch.recalls {
            if let Some(new) = waiting.users.get_mut(recall.receiver) {
                new.messages.retain(|new| new.id.as_ref().is_none_or(|id| !recall.ids.contains(&id)));
            }
        }
        let mut ids: BTreeMap<&UserId, Vec<&MessageId>> = BTreeMap::new();
        for insert in &batch.inserts {
            ids.entry(insert.receiver).or_default().push(insert.id);
        }
        let time_ms = batch.positions.iter().map(|update| update.to.time_ms()).max().unwrap_or(0);
        for (user, counter) in batch.counters.iter().filter(|(_, counter)| counter.added > 0) {
            let mut ids = ids.remove(*user).unwrap_or_default().into_iter();
            for _ in 0..counter.added {
                waiting.add(user, New { time_ms, id: ids.next().cloned() });
            }
        }
        for (_, user) in &batch.forgets {
            waiting.users.remove(*user);
        }
    }

    /// Adds what an entry of a log says that another writer has applied, and may not have noted.
    pub(crate) fn add_last(&self, partition: Partition, entry: EntryHead) {
        let mut waiting = self.waiting();
        let is_own =
            |(after, up_to): &(Position, Position)| entry.position > *after && entry.position <= *up_to;
        if waiting.added.get(&partition).is_some_and(is_own) {
            return;
        }
        for user in entry.receivers.unwrap_or_default() {
            match entry.kind {
                EntryKind::Message => {
                    waiting.add(&user, New { time_ms: entry.position.time_ms(), id: None });
                }
                // It is not known which.
                EntryKind::Recall => {
                    if let Some(new) = waiting.users.get_mut(&user) {
                        new.messages.pop();
                    }
                }
                EntryKind::Other => {}
            }
        }
    }

    /// Since when somebody waits.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.waiting().since
    }

    /// The users who wait.
    pub(crate) fn all(&self) -> BTreeMap<UserId, NewMessages> {
        self.waiting().users.clone()
    }

    /// These were noted. Those who have got messages meanwhile wait on.
    pub(crate) fn noted(&self, noted: &BTreeMap<UserId, NewMessages>) {
        let mut waiting = self.waiting();
        let now = Instant::now();
        for (user, noted) in noted {
            let Some(new) = waiting.users.get_mut(user) else { continue };
            new.messages.retain(|message| !noted.messages.contains(message));
            new.since = now;
            if new.messages.is_empty() {
                waiting.users.remove(user);
            }
        }
        waiting.since = waiting.users.values().map(|new| new.since).min();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, user: &UserId, message: New) {
        let now = Instant::now();
        self.since.get_or_insert(now);
        let new = NewMessages { since: now, messages: Vec::new() };
        let new = self.users.entry(user.clone()).or_insert(new);
        if new.messages.len() < MESSAGES {
            new.messages.push(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::id::UserIdType;

    use super::*;
    use crate::log::batch::{Counter, PositionUpdate, Recall};

    fn user() -> UserId {
        UserIdType::Int.text("7").unwrap()
    }

    fn position(ms: u64) -> Position {
        Position::new(ms, 0)
    }

    fn partition() -> Partition {
        Partition::of(&user())
    }

    /// Adds one message at a time, the last of which has an id.
    fn stored(newly: &NewlyUnread, [from, to]: [u64; 2]) {
        let user = user();
        let mut batch = Batch::default();
        batch.counters.insert(&user, Counter { added: 1, ..Counter::default() });
        let (from, to) = (position(from), position(to));
        batch.positions.push(PositionUpdate { partition: partition(), from, to });
        newly.add(&batch);
    }

    fn head(ms: u64, kind: EntryKind) -> EntryHead {
        EntryHead { position: position(ms), receivers: Some(vec![user()]), kind }
    }

    fn after(newly: &NewlyUnread, ms: u64) -> Option<usize> {
        newly.all().get(&user()).map(|new| new.after(ms))
    }

    #[test]
    fn messages_after_a_time_count() {
        let newly = NewlyUnread::default();
        stored(&newly, [0, 5]);
        stored(&newly, [5, 9]);
        assert_eq!((after(&newly, 0), after(&newly, 5), after(&newly, 9)), (Some(2), Some(1), Some(0)));
    }

    /// A term of this process begins: its own entries are in the log, and so are those of others.
    #[test]
    fn entries_of_others_are_added_once() {
        let newly = NewlyUnread::default();
        stored(&newly, [4, 5]);
        for ms in [3, 4, 5, 6] {
            newly.add_last(partition(), head(ms, EntryKind::Message));
        }
        newly.add_last(partition(), head(7, EntryKind::Other));
        assert_eq!(after(&newly, 0), Some(4));
        newly.add_last(partition(), head(8, EntryKind::Recall));
        assert_eq!(after(&newly, 0), Some(3));
    }

    #[test]
    fn recalled_message_does_not_count() {
        let newly = NewlyUnread::default();
        let (user, id) = (user(), MessageId::try_from("1:a".to_owned()).unwrap());
        stored(&newly, [0, 5]);
        newly.waiting().users.get_mut(&user).unwrap().messages[0].id = Some(id.clone());
        stored(&newly, [5, 6]);
        let mut batch = Batch::default();
        batch.recalls.push(Recall { sender: &user, receiver: &user, ids: vec![&id] });
        newly.add(&batch);
        assert_eq!(after(&newly, 0), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_meanwhile_waits_on() {
        let newly = NewlyUnread::default();
        assert_eq!(newly.since(), None);
        stored(&newly, [0, 5]);
        let noted = newly.all();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        stored(&newly, [5, 6]);
        newly.noted(&noted);
        assert_eq!((after(&newly, 0), newly.since()), (Some(1), Some(Instant::now())));
        newly.noted(&newly.all());
        assert_eq!((after(&newly, 0), newly.since()), (None, None));
    }
}
