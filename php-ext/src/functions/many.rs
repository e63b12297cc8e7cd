//! Functions that reach many users at once.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::UserId;

use crate::calls::many;
use crate::declaration::function;
use crate::parameters::{Content, UserIds};

function! {
    /// Pushes a message to every device of many users who are connected now.
    ///
    /// It takes one Redis round trip for all of them, and delivers at most once.
    ///
    /// @param list<int> $receiver_ids at most 10,000, each 1 to 2147483647; who is in it twice gets it once
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @return list<int> those who were reached, in the order given: a daemon with a connection of theirs got it
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time: it is not known who was reached
    fn pushToUsers(receiver_ids: UserIds, content: Content<'_>, r#type: MessageType) -> Vec<UserId> {
        many::push(receiver_ids, content.text, &r#type)
    }
}

function! {
    /// Returns those of many users who are connected to a daemon now.
    ///
    /// It takes one Redis round trip for all of them.
    ///
    /// @param list<int> $user_ids at most 10,000, each 1 to 2147483647
    /// @return list<int> in the order given
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getOnlineUsers(user_ids: UserIds) -> Vec<UserId> {
        many::online(user_ids)
    }
}
