//! Functions that reach only users who are connected now.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::MessageId;

use crate::calls::live;
use crate::declaration::function;
use crate::fault_injection::{self, Promise};
use crate::fetched_rows;
use crate::parameters::Content;
use crate::settings::Call;
use crate::users::{self, UserArgument};

function! {
    /// Pushes a message to every device of a user who is connected now.
    ///
    /// It takes one Redis round trip and delivers at most once. The messages of one caller to one receiver
    /// keep their order.
    ///
    /// A content that `getOfflineMessage()` returned in the same request carries its row, if it is the very
    /// string and not an equal one. It still is after `foreach`, an assignment, a reference or a `trim()`
    /// that trims nothing, but not after `htmlspecialchars()`, JSON or a session: pass the row's
    /// `message_id` then. A connection shows a row once, and the row is deleted, or marked in a history, once
    /// the receiver's client has confirmed it.
    ///
    /// @param string|int $receiver_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @param string|null $message_id the `message_id` of the row that the content belongs to
    /// @return bool true: a daemon with a connection of the user got it; false: the user is not connected
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    fn pushMessage(
        receiver_id: UserArgument,
        content: Content<'_>,
        r#type: MessageType,
        message_id: Option<MessageId> = None,
    ) -> bool {
        let call = Call::begin()?;
        let receiver = users::typed_if_installed(&call, |ids| Ok((receiver_id.of_type(ids)?, ids)))?;
        let Some((receiver, ids)) = receiver else { return Ok(false) };
        let row = match message_id {
            Some(id) => Some(fetched_rows::with_id(&receiver, id, ids)),
            None if fault_injection::breaks(Promise::Words) => {
                fetched_rows::with_words(&receiver, content.text)
            }
            None => fetched_rows::with_content(&receiver, content.string),
        };
        live::push(&call, &receiver, content.text, &r#type, row)
    }
}

function! {
    /// Returns whether the user is connected to a daemon now.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time
    fn isOnline(user_id: UserArgument) -> bool {
        let call = Call::begin()?;
        let user = users::typed_if_installed(&call, |ids| user_id.of_type(ids))?;
        user.map_or(Ok(false), |user| live::is_online(&call, &user))
    }
}

function! {
    /// Closes a user's connections on every daemon, and revokes the tokens they were opened with.
    ///
    /// It is for signing out everywhere, or a ban. Tokens that were issued before this second are refused
    /// from now on. The connections are closed with code 4403, after which a client does not connect again by
    /// itself. A token that is signed later opens a connection again.
    ///
    /// @param string|int $user_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @return bool true: a daemon with a connection of the user got it; false: the user is not connected
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException Redis has no installation of this prefix
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown: call it again
    fn disconnectUser(user_id: UserArgument) -> bool {
        let call = Call::begin()?;
        live::disconnect(&call, &users::typed(&call, |ids| user_id.of_type(ids))?)
    }
}
