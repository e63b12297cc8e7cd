//! Functions about messages that were sent.

use chatpush_wire::id::MessageId;

use crate::calls::recall;
use crate::declaration::function;
use crate::returns::Truth;
use crate::settings::Call;
use crate::users::{self, UserArgument};

function! {
    /// Takes back a message that no client has confirmed.
    ///
    /// Its row is deleted, or marked as delivered in a history, and the unread counter falls by one, unless
    /// it was cleared after the message. Clients with `chatpush.v1` that are connected are told to remove the
    /// message, also if it was confirmed before. The id stays known, so a repeated `sendMessage()` does not
    /// send the message again.
    ///
    /// @param string|int $sender_id who sent it
    /// @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $message_id the id that `sendMessage()` was given, or that of the client's frame, which
    ///     is `<sender>:<id>` then. A text that begins with the sender and a colon is an id of a frame
    /// @return bool true: no client had confirmed it, but one may have shown it; false: it was confirmed,
    ///     recalled or never stored
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs
    /// @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
    fn recallMessage(sender_id: UserArgument, receiver_id: UserArgument, message_id: MessageId) -> Truth {
        let call = Call::begin()?;
        let (sender, receiver) = users::typed(&call, |ids| Ok((sender_id.of_type(ids)?, receiver_id.of_type(ids)?)))?;
        recall::recall(&call, &sender, &receiver, message_id).map(Truth)
    }
}
