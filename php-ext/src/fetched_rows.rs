//! The rows that this request fetched. Pushing the content of one is a delivery of that row, not a second
//! message.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::reply::Row;

/// How many rows are remembered in one request.
const MAX_ROWS: usize = 1_000;

/// A fetched row, as much of it as a push needs.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    user: UserId,
    length: usize,
    hash: u64,
    /// The row's message id.
    pub(crate) id: MessageId,
    /// The sender.
    pub(crate) sender: i64,
    /// The time of acceptance, in milliseconds since 1970.
    pub(crate) time_ms: u64,
}

#[derive(Default)]
struct Memory {
    /// A content is kept as its length and keyed hash, since a thousand contents can have 64 MiB.
    hasher: RandomState,
    rows: VecDeque<Fetched>,
}

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// Remembers rows of `user` in the order in which they were fetched, up to 1,000 per request. A row that is
/// fetched again is not remembered twice.
pub(crate) fn remember(user: UserId, rows: &[Row]) {
    MEMORY.with_borrow_mut(|memory| {
        let Memory { hasher, rows: known } = memory.get_or_insert_default();
        let before = known.len();
        for row in rows {
            if known.len() == MAX_ROWS {
                return;
            }
            if known.iter().take(before).any(|fetched| fetched.id == row.message_id) {
                continue;
            }
            let (length, hash) = (row.content.len(), hasher.hash_one(&row.content));
            let (id, sender, time_ms) = (row.message_id.clone(), row.sender_id, row.time_ms);
            known.push_back(Fetched { user, length, hash, id, sender, time_ms });
        }
    });
}

/// Takes the first remembered row of `user` with this content.
pub(crate) fn take(user: UserId, content: &str) -> Option<Fetched> {
    MEMORY.with_borrow_mut(|memory| {
        let Memory { hasher, rows } = memory.as_mut()?;
        let hash = hasher.hash_one(content);
        let at = rows
            .iter()
            .position(|row| row.user == user && row.length == content.len() && row.hash == hash)?;
        rows.remove(at)
    })
}

/// Forgets all rows, when the request ends.
pub(crate) fn forget() {
    MEMORY.set(None);
}
