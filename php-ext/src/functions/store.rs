//! Functions that store messages.

use chatpush_wire::conversation::Conversation;
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{ChosenId, MessageId};

use crate::calls::store;
use crate::declaration::function;
use crate::delivery::Delivery;
use crate::parameters::{Content, DEFAULT_TYPE};
use crate::settings::Call;
use crate::users::{self, UserArgument};

function! {
    /// Stores a message for a user and counts it as unread, in one transaction, exactly once.
    ///
    /// A receiver who is connected gets it at once. Commit an open transaction that has changed the receiver's
    /// row of the user table before this call: it would wait for that row until it times out.
    ///
    /// @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @return bool true: it is committed in MySQL, or in the log with `chatpush.durability=queued`, or in that of a
    ///     replica too with `replicated`. With `chatpush.errors` = `warning` also: it is queued, but was not committed
    ///     or replicated in time
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
    /// @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused the message
    fn storeOfflineMessage(sender_id: UserArgument, receiver_id: UserArgument, content: Content<'_>) -> bool {
        let call = Call::begin()?;
        let (sender, receiver) = users::typed(&call, |ids| Ok((sender_id.of_type(ids)?, receiver_id.of_type(ids)?)))?;
        store::store(&call, &sender, &receiver, content.text)
    }
}

function! {
    /// Stores a message exactly once and, in the same step, pushes it to the receiver's devices.
    ///
    /// The row is deleted, or marked in a history, once a client has confirmed it. With a `$message_id`, a
    /// repeated call is the same message: the second call waits for the commit of the first one and returns what
    /// that one returned. The id is remembered for 24 hours and as long as the row waits, for this sender and
    /// receiver.
    ///
    /// @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is another message
    /// @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`: the group or topic it belongs to. It is in
    ///     the client's frame
    /// @return Delivery|null whether the receiver was connected. With `chatpush.errors` = `warning` also:
    ///     `Stored` if it is queued, but was not committed in time; null if it is not known to be queued
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
    /// @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused the message
    fn sendMessage(
        sender_id: UserArgument,
        receiver_id: UserArgument,
        content: Content<'_>,
        r#type: MessageType = DEFAULT_TYPE,
        message_id: Option<ChosenId<'_>> = None,
        conversation: Option<Conversation> = None,
    ) -> Option<Delivery> {
        let call = Call::begin()?;
        let (sender, receiver) = users::typed(&call, |ids| Ok((sender_id.of_type(ids)?, receiver_id.of_type(ids)?)))?;
        let chosen = message_id.map(|id| MessageId::chosen(&sender, id));
        store::send(&call, &sender, &receiver, content.text, &r#type, chosen, conversation.as_ref()).map(Some)
    }
}
