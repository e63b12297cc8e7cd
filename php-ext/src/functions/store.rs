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
    /// A receiver who is connected after all gets it at once. Inside an open transaction of the application
    /// that has touched the receiver's row of the user table this call waits for itself: commit first.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @return bool true: the row is committed in MySQL, or is in the durable queue if `chatpush.durability` is `queued`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
    fn storeOfflineMessage(sender_id: UserId, receiver_id: UserId, content: Content) -> bool {
        store::store(sender_id, receiver_id, content)
    }
}

function! {
    /// Stores a message exactly once and pushes it in the same step to whoever is there.
    ///
    /// The row goes once a client has confirmed it. With a `$message_id` a repeated call is the same message: it is
    /// remembered for 24 hours and as long as its row is there, by sender and receiver, and the second call
    /// waits for the first one's commit and answers what that one did.
    ///
    /// A failure is thrown also where `chatpush.errors` asks for warnings, since no value says it.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type what the front end is told the message is, at most 64 bytes
    /// @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is a message of its own
    /// @return Delivery whether somebody was there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
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
