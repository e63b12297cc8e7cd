//! Functions that store messages.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{ChosenId, MessageId, UserId};

use crate::calls::store;
use crate::declaration::function;
use crate::delivery::Delivery;
use crate::parameters::{Content, DEFAULT_TYPE};

function! {
    /// Stores a message for a user and counts it as unread, in one transaction, exactly once.
    ///
    /// A receiver who is connected gets it at once. Commit an open transaction that has changed the receiver's
    /// row of the user table before this call: it would wait for that row until it times out.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @return bool true: it is committed in MySQL, or in the log with `chatpush.durability` = `queued`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether it will be stored
    fn storeOfflineMessage(sender_id: UserId, receiver_id: UserId, content: Content) -> bool {
        store::store(sender_id, receiver_id, content)
    }
}

function! {
    /// Stores a message exactly once and, in the same step, pushes it to the receiver's devices.
    ///
    /// The row is deleted once a client has confirmed it. With a `$message_id`, a repeated call is the same
    /// message: the second call waits for the commit of the first one and returns what that one returned. The
    /// id is remembered for 24 hours and as long as the row exists, for this sender and receiver.
    ///
    /// A failure is always thrown, also with `chatpush.errors` = `warning`, since no return value says it.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is another message
    /// @return Delivery whether the receiver was connected
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether it will be stored
    fn sendMessage(
        sender_id: UserId,
        receiver_id: UserId,
        content: Content,
        r#type: MessageType = DEFAULT_TYPE,
        message_id: Option<ChosenId<'_>> = None,
    ) -> Delivery {
        let chosen = message_id.map(|id| MessageId::chosen(sender_id, id));
        store::send(sender_id, receiver_id, content, &r#type, chosen)
    }
}
