//! Calls that read and change a user's mailbox and unread counter.

use std::collections::BTreeMap;

use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::CONVERSATIONS;
use chatpush_wire::id::UserId;
use chatpush_wire::limit::ROWS_PER_PAGE;
use chatpush_wire::lua::APPEND;
use chatpush_wire::new_entry::{self, Fields};
use chatpush_wire::partition::Partition;
use chatpush_wire::query::Query;
use chatpush_wire::reply::{Reply, Row};

use super::query::query;
use super::{reply, unexpected};
use crate::error::Error;
use crate::exchange::{Awaits, Keys, Progress, ScriptCall};
use crate::link::{self, Known, Unanswered};
use crate::settings::Call;

/// Stored rows of a user, page by page, so that no more than a page of them is outside of PHP's memory. All are
/// queried within one deadline.
pub(crate) struct Pages {
    call: Call,
    user: UserId,
    /// The id of the last row that was returned.
    after: u64,
    /// How many more rows are wanted.
    left: u32,
}

/// Stored rows with ids above `after`, oldest first, at most `limit`.
pub(crate) fn rows(call: Call, user: UserId, limit: u32, after: u64) -> Pages {
    Pages { call, user, after, left: limit }
}

impl Pages {
    fn page(&mut self) -> Result<Vec<Row>, Error> {
        let Self { after, left, .. } = *self;
        // Nothing follows an error.
        self.left = 0;
        let page = Query::Rows { user: self.user.clone(), after, limit: left.min(ROWS_PER_PAGE) };
        let (rows, more) = match query(&self.call, page)? {
            Reply::Rows { rows, more } => (rows, more),
            other => return Err(unexpected(other)),
        };
        if let Some(last) = rows.last().filter(|_| more) {
            self.after = last.id;
            self.left = left.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        }
        Ok(rows)
    }
}

impl Iterator for Pages {
    type Item = Result<Vec<Row>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.left > 0).then(|| self.page())
    }
}

/// The unread counter.
pub(crate) fn unread(call: &Call, user: UserId) -> Result<u64, Error> {
    match query(call, Query::Unread { user })? {
        Reply::Unread(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// What each conversation counts, of those above 0.
pub(crate) fn unread_counts(call: &Call, user: UserId) -> Result<BTreeMap<String, u64>, Error> {
    match query(call, Query::UnreadCounts { user })? {
        Reply::UnreadCounts(counts) => Ok(counts),
        other => Err(unexpected(other)),
    }
}

/// Sets the unread counter to 0, or takes away what one conversation counts.
pub(crate) fn clear_unread(
    call: &Call,
    user: &UserId,
    conversation: Option<&Conversation>,
) -> Result<(), Error> {
    // An older daemon would clear everything.
    let entries = if conversation.is_some() { CONVERSATIONS } else { 0 };
    match append(call, user, new_entry::clear(user, conversation), entries)? {
        Reply::Cleared => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// Deletes rows that the application has shown itself. Returns how many there were.
pub(crate) fn delete_rows(call: &Call, user: &UserId, rows: &[u64]) -> Result<u64, Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    match append(call, user, new_entry::app_delete(user, rows), 0)? {
        Reply::Removed(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// The entry is of this generation; 0: of any.
fn append(call: &Call, user: &UserId, fields: Fields<'_>, entries: u32) -> Result<Reply, Error> {
    let partition = Partition::of(user);
    let prefix = &call.prefix;
    let mut script = ScriptCall {
        script: &APPEND,
        keys: Keys::Fixed(vec![prefix.log(partition), prefix.daemons_channel(partition)]),
        arguments: fields.into_iter().flat_map(|(name, value)| [name.into(), value]).collect(),
        // A second deletion would count other rows, and a second clear would include messages that came in
        // between.
        repeatable: false,
        partition,
        prefix,
        content: None,
        entries,
        awaits: Awaits::Daemon,
        unanswered: &Unanswered {
            known: Known::Queued,
            text: "it is queued and will be done, but not in time (is MySQL away, or does the calling \
                   transaction hold this user's row?)",
        },
        progress: Progress::default(),
    };
    reply(link::execute(call, &mut script, call.deadline())?)
}
