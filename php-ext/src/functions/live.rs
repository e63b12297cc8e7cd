//! Functions that reach only users who are connected now.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::UserId;

use crate::calls::live;
use crate::declaration::function;
use crate::parameters::Content;

function! {
    /// Pushes a message to every device of a user who is connected now.
    ///
    /// One Redis round trip, at most once, in order per receiver for one caller. Pushing a content that
    /// `getOfflineMessage()` returned earlier in the same request delivers that stored row, which goes once
    /// the receiver's client has confirmed it.
    ///
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type what the front end is told the message is, at most 64 bytes
    /// @return bool true: Redis queued it to at least one daemon that holds a connection of that user; false: nobody is there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    fn pushMessage(receiver_id: UserId, content: Content, r#type: MessageType) -> bool {
        live::push(receiver_id, content, &r#type)
    }
}

function! {
    /// Tells whether a daemon holds a connection of the user now.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time
    fn isOnline(user_id: UserId) -> bool {
        live::is_online(user_id)
    }
}

function! {
    /// Ends a user's connections on every daemon, as after signing out or a ban.
    ///
    /// They are closed with code 4403, on which a client does not connect again by itself. A token that is still
    /// valid opens a new one: do not give out another.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @return bool true: at least one daemon that holds a connection of that user was told; false: nobody is there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    fn disconnectUser(user_id: UserId) -> bool {
        live::disconnect(user_id)
    }
}
