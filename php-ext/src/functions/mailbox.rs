//! Functions that read and change a user's mailbox and unread counter.

use chatpush_wire::id::UserId;

use crate::calls::mailbox;
use crate::declaration::function;
use crate::parameters::{AfterRow, RowIds, RowLimit};
use crate::returns::RowPages;

function! {
    /// Returns the messages stored for a user, oldest first. Reading deletes nothing.
    ///
    /// The result includes every store that returned before the call. `pushMessage()` says how to push a row.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param int $limit the most rows to return, 1 to 100000
    /// @param int $after_id only rows with a larger id
    /// @return list<array{id: int, sender_id: int, receiver_id: int, content: string,
    ///     send_time: string|int, message_id: string}>
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getOfflineMessage(user_id: UserId, limit: RowLimit = 1000, after_id: AfterRow = 0) -> RowPages<mailbox::Pages> {
        mailbox::rows(user_id.clone(), limit, after_id).map(|pages| RowPages { user: user_id, pages })
    }
}

function! {
    /// Returns the current `user.unread_count`, including changes by the application's own SQL.
    ///
    /// The result includes every store that returned before the call. It is 0 for an unknown user.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @return int 0 or more
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getUnreadCount(user_id: UserId) -> u64 {
        mailbox::unread(user_id)
    }
}

function! {
    /// Sets a user's unread counter to 0 and sends it to the user's devices.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
    fn clearUnreadCount(user_id: UserId) -> () {
        mailbox::clear_unread(&user_id)
    }
}

function! {
    /// Deletes stored messages that the application has shown itself instead of pushing them.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param list<int> $ids row ids from `getOfflineMessage()`, at most 10,000; rows of other users stay
    /// @return int how many rows were deleted
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; see `getOutcome()`
    fn ackOfflineMessage(user_id: UserId, ids: RowIds) -> u64 {
        mailbox::delete_rows(&user_id, &ids)
    }
}

function! {
    /// Removes everything that chatpush keeps of a user, for an erasure or before an id is used again.
    ///
    /// Their connections are closed and their tokens revoked, as by `disconnectUser()`. What waits for them is
    /// deleted, or marked as delivered in a history, whose rows are the application's. Their unread counter
    /// becomes 0. Messages that they have sent to others stay.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs
    /// @throws \ChatPush\TimeoutException not committed in time, as when very much waited; see `getOutcome()`
    fn forgetUser(user_id: UserId) -> () {
        mailbox::forget(&user_id)
    }
}
