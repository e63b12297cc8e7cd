//! Functions that reach many users at once.

use chatpush_wire::conversation::Conversation;
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{ChosenId, MessageId, UserId};

use crate::calls::many;
use crate::calls::send_many::{self, ToMany};
use crate::declaration::function;
use crate::parameters::{Content, DEFAULT_TYPE};
use crate::returns::Deliveries;
use crate::settings::Call;
use crate::users::{self, UserArgument, UserArguments};

function! {
    /// Pushes a message to every device of many users who are connected now.
    ///
    /// It takes one Redis round trip for all of them, and delivers at most once.
    ///
    /// @param list<string|int> $receiver_ids at most 10,000 user ids; who is in it twice gets it once
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @return list<string|int> those who were reached, in the order given: a daemon with a connection of theirs got it
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time: it is not known who was reached
    fn pushToUsers(receiver_ids: UserArguments, content: Content<'_>, r#type: MessageType) -> Vec<UserId> {
        if receiver_ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::begin()?;
        let receivers = users::typed_if_installed(&call, |ids| receiver_ids.of_type(ids))?;
        drop(receiver_ids);
        let Some(receivers) = receivers else { return Ok(Vec::new()) };
        many::push(&call, receivers, content.text, &r#type)
    }
}

function! {
    /// Returns those of many users who are connected to a daemon now.
    ///
    /// It takes one Redis round trip for all of them.
    ///
    /// @param list<string|int> $user_ids at most 10,000 user ids
    /// @return list<string|int> in the order given; texts with `user_id_type` = `text`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getOnlineUsers(user_ids: UserArguments) -> Vec<UserId> {
        if user_ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = Call::begin()?;
        let users = users::typed_if_installed(&call, |ids| user_ids.of_type(ids))?;
        drop(user_ids);
        users.map_or_else(|| Ok(Vec::new()), |users| many::online(&call, users))
    }
}

function! {
    /// Stores a message for each of many users and, in the same step, pushes it to their devices.
    ///
    /// It is exactly once for each receiver, and not all or nothing. One write and one wait: the content goes to
    /// Redis once for up to 128 receivers. With a `$message_id`, a repeated call completes what was missing; the
    /// id is remembered as with `sendMessage()`.
    ///
    /// @param string|int $sender_id of the type that chatpushd's `user_id_type` says; by default 1 to 2147483647
    /// @param list<string|int> $receiver_ids at most 10,000 user ids; who is in it twice gets it once
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is another message
    /// @param string|int|null $conversation 1 to 64 of `A-Za-z0-9._:@-`: the group or topic it belongs to. It is in
    ///     the client's frame
    /// @return array<string|int, Delivery> by receiver, in the order given: whether each was connected. With
    ///     `chatpush.errors` = `warning` only those whose message is stored or queued
    /// @throws \ValueError an argument is out of range: nothing was sent
    /// @throws \ChatPush\PartialException it failed for some of them
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or the backlog or the mailbox is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; see `getOutcome()`
    /// @throws \ChatPush\Exception the column cannot hold the content, or MySQL refused all messages
    fn sendToUsers(
        sender_id: UserArgument,
        receiver_ids: UserArguments,
        content: Content<'_>,
        r#type: MessageType = DEFAULT_TYPE,
        message_id: Option<ChosenId<'_>> = None,
        conversation: Option<Conversation> = None,
    ) -> Deliveries {
        if receiver_ids.is_empty() {
            return Ok(Deliveries(Vec::new()));
        }
        let call = Call::begin()?;
        let (sender, receivers) =
            users::typed(&call, |ids| Ok((sender_id.of_type(ids)?, receiver_ids.of_type(ids)?)))?;
        drop(receiver_ids);
        let sent = send_many::send(&call, ToMany {
            sender: &sender,
            receivers,
            content: content.text,
            message_type: &r#type,
            chosen: message_id.map(|id| MessageId::chosen(&sender, id)),
            conversation: conversation.as_ref(),
        });
        sent.map(Deliveries)
    }
}
