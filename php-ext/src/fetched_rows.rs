//! The rows that this request fetched. Pushing the content of one is a delivery of that row, not another
//! message.
//!
//! A content is recognised by the identity of its string, since the same words come again. A reference to
//! each string is held, so that no other string gets its address.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use chatpush_wire::conversation::Conversation;
use chatpush_wire::id::{MessageId, Sender, UserId, UserIdType};
use chatpush_wire::reply::Row;

use crate::zend::{RequestString, StringIdentity};

/// As much of a fetched row as a push needs.
#[derive(Debug)]
pub(crate) struct FetchedRow {
    /// The receiver.
    user: UserId,
    /// The row's message id.
    pub(crate) id: MessageId,
    /// The sender, if known.
    pub(crate) sender: Option<Sender>,
    /// The time of acceptance, in milliseconds since 1970, if known.
    pub(crate) time_ms: Option<u64>,
    /// The conversation, if it is known and belongs to one.
    pub(crate) conversation: Option<Conversation>,
}

/// The strings of a row that PHP got.
#[derive(Debug)]
pub(crate) struct RowStrings {
    /// The content.
    pub(crate) content: RequestString,
    /// The message id.
    pub(crate) message_id: RequestString,
}

#[derive(Default)]
struct Memory {
    by_content: HashMap<StringIdentity, (RowStrings, Rc<FetchedRow>)>,
    /// The same rows. One that was fetched twice has two contents.
    by_id: HashMap<(UserId, MessageId), Weak<FetchedRow>>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// Remembers rows of a user and the strings that PHP gets of them.
pub(crate) fn remember(user: &UserId, rows: impl Iterator<Item = (Row, RowStrings)>) {
    MEMORY.with_borrow_mut(|memory| {
        for (row, strings) in rows {
            let Row { message_id: id, sender, time_ms, conversation, .. } = row;
            let known = memory.by_id.entry((user.clone(), id.clone())).or_default();
            let row = known.upgrade().unwrap_or_else(|| {
                let (sender, time_ms) = (Some(sender), Some(time_ms));
                Rc::new(FetchedRow { user: user.clone(), id, sender, time_ms, conversation })
            });
            *known = Rc::downgrade(&row);
            memory.by_content.insert(strings.content.identity(), (strings, row));
        }
    });
}

/// The row of `user` whose content is this very string.
pub(crate) fn with_content(user: &UserId, content: StringIdentity) -> Option<Rc<FetchedRow>> {
    MEMORY.with_borrow(|memory| {
        let (_, row) = memory.by_content.get(&content)?;
        (row.user == *user).then(|| row.clone())
    })
}

/// The row of `user` whose content has these words.
pub(crate) fn with_words(user: &UserId, words: &str) -> Option<Rc<FetchedRow>> {
    MEMORY.with_borrow(|memory| {
        let mut rows = memory.by_content.values().filter(|(_, row)| row.user == *user);
        rows.find(|(strings, _)| strings.content.to_zval().str() == Some(words)).map(|(_, row)| row.clone())
    })
}

/// The row of `user` with this message id. If this request does not hold it, as much as the id says.
pub(crate) fn with_id(user: &UserId, id: MessageId, ids: UserIdType) -> Rc<FetchedRow> {
    let key = (user.clone(), id);
    let held = MEMORY.with_borrow(|memory| memory.by_id.get(&key)?.upgrade());
    held.unwrap_or_else(|| {
        let (user, id) = key;
        let (sender, time_ms) = (id.sender(ids).as_ref().map(Sender::from), id.time_ms());
        Rc::new(FetchedRow { user, id, sender, time_ms, conversation: None })
    })
}

/// Forgets the rows of which PHP holds neither string any more.
pub(crate) fn sweep() {
    MEMORY.with_borrow_mut(|memory| {
        memory
            .by_content
            .retain(|_, (strings, _)| strings.content.is_shared() || strings.message_id.is_shared());
        memory.by_id.retain(|_, row| row.strong_count() > 0);
    });
}

/// Forgets all rows, when the request ends.
pub(crate) fn forget() {
    MEMORY.take();
}
