//! Functions that read and change a user's mailbox and unread counter.

use std::collections::BTreeMap;

use chatpush_wire::conversation::Conversation;

use crate::calls::{forget, mailbox};
use crate::declaration::function;
use crate::parameters::{AfterRow, RowIds, RowLimit};
use crate::returns::RowPages;
use crate::settings::Call;
use crate::users::{self, UserArgument};

function! {
    /// Returns the messages stored for a user, oldest first. Reading deletes nothing.
    ///
    /// The result includes every store that returned before the call. `pushMessage()` says how to push a row.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param int $limit the most rows to return, 1 to 100000
    /// @param int $after_id only rows with a larger id
    /// @return list<array{id: int, sender_id: string|int, receiver_id: string|int, content: string,
    ///     send_time: string|int, message_id: string}>
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getOfflineMessage(
        user_id: UserArgument,
        limit: RowLimit = 1000,
        after_id: AfterRow = 0,
    ) -> RowPages<mailbox::Pages> {
        let call = Call::begin()?;
        let user = users::typed(&call, |ids| user_id.of_type(ids))?;
        let pages = mailbox::rows(call, user.clone(), limit, after_id);
        Ok(RowPages { user, pages })
    }
}

function! {
    /// Returns a user's unread counter, by default `user.unread_count`, including changes by the application's
    /// own SQL.
    ///
    /// The result includes every store that returned before the call. It is 0 for an unknown user.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @return int 0 or more
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getUnreadCount(user_id: UserArgument) -> u64 {
        let call = Call::begin()?;
        mailbox::unread(&call, users::typed(&call, |ids| user_id.of_type(ids))?)
    }
}

function! {
    /// Returns how many messages of each conversation a user has not read, of those above 0.
    ///
    /// The key of a message without a conversation is its sender. Needs `unread_by_conversation` in chatpushd.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @return array<array-key, int> by conversation, at most 10,000. A name of digits is an integer key
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    /// @throws \ChatPush\Exception `unread_by_conversation` is off
    fn getUnreadCounts(user_id: UserArgument) -> BTreeMap<String, u64> {
        let call = Call::begin()?;
        mailbox::unread_counts(&call, users::typed(&call, |ids| user_id.of_type(ids))?)
    }
}

function! {
    /// Sets a user's unread counter to 0, or takes away what one conversation counts, and sends it to the user's
    /// devices.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`, or a key of `getUnreadCounts()`: only this
    ///     one, or this sender. The counter falls by as much, never below 0
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
    /// @throws \ChatPush\Exception a conversation was given, and `unread_by_conversation` is off
    fn clearUnreadCount(user_id: UserArgument, conversation: Option<Conversation> = None) -> () {
        let call = Call::begin()?;
        mailbox::clear_unread(&call, &users::typed(&call, |ids| user_id.of_type(ids))?, conversation.as_ref())
    }
}

function! {
    /// Deletes stored messages that the application has shown itself instead of pushing them; in a history, marks
    /// them as delivered.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param list<int> $ids row ids from `getOfflineMessage()`, at most 10,000; rows of other users stay
    /// @return int how many rows were deleted or marked
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
    fn ackOfflineMessage(user_id: UserArgument, ids: RowIds) -> u64 {
        if ids.is_empty() {
            return Ok(0);
        }
        let call = Call::begin()?;
        mailbox::delete_rows(&call, &users::typed(&call, |ids| user_id.of_type(ids))?, &ids)
    }
}

function! {
    /// Removes everything that chatpush keeps of a user, for an erasure or before an id is used again.
    ///
    /// Their connections are closed and their tokens revoked, as by `disconnectUser()`. What waits for them is
    /// deleted, or marked as delivered in a history, whose rows are the application's. Their unread counter
    /// becomes 0. Messages that they have sent to others stay. With `storage` = `none` nothing else is kept than
    /// what `disconnectUser()` changes, and it does the same.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was done
    /// @throws \ChatPush\TimeoutException not committed in time, as when very much waited; see `getOutcome()`
    fn forgetUser(user_id: UserArgument) -> () {
        let call = Call::begin()?;
        forget::forget(&call, &users::typed(&call, |ids| user_id.of_type(ids))?)
    }
}
