//! Functions that reach everybody in a room, or everybody.

use chatpush_wire::frame::MessageType;
use chatpush_wire::id::UserId;
use chatpush_wire::room::Room;

use crate::calls::rooms;
use crate::declaration::function;
use crate::parameters::Content;
use crate::settings::Call;
use crate::users;

function! {
    /// Pushes a message to every connection in a room.
    ///
    /// It takes one Redis round trip, whatever the number of connections, and delivers at most once. Nothing
    /// is stored: for messages that must not be lost, call `sendToUsers()`. A page is in the rooms that its grant
    /// names (`grantToken()`).
    ///
    /// @param string|int $room 1 to 64 letters, digits, or any of . _ : @ -; a number is its digits
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @return bool true: a daemon with a connection in the room got it; false: nobody is there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    fn pushToRoom(room: Room, content: Content<'_>, r#type: MessageType) -> bool {
        let call = Call::begin()?;
        if !users::is_installed(&call)? {
            return Ok(false);
        }
        rooms::push_to_room(&call, &room, content.text, &r#type)
    }
}

function! {
    /// Returns who has a connection in a room now, on any daemon: each user once, in no particular order.
    ///
    /// The daemons that hold these connections are asked, so the call takes one round trip to Redis and one
    /// to them. A daemon that is killed is not asked; one that hangs counts until the others notice, which
    /// takes at most 12 seconds, and the call times out meanwhile.
    ///
    /// @param string|int $room 1 to 64 letters, digits, or any of . _ : @ -; a number is its digits
    /// @return list<string|int> user ids, at most 10,000 of them; texts with `user_id_type` = `text`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time
    fn getRoomUsers(room: Room) -> Vec<UserId> {
        let call = Call::begin()?;
        if !users::is_installed(&call)? {
            return Ok(Vec::new());
        }
        rooms::room_users(&call, &room)
    }
}

function! {
    /// Pushes a message to every connection there is.
    ///
    /// It takes one Redis round trip, whatever the number of connections, and delivers at most once. Nothing
    /// is stored.
    ///
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type the message type for the front end, at most 64 bytes
    /// @return bool true: a daemon with connections got it; false: nobody is connected
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException chatpushd uses another database number of Redis, or its record is lost
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    fn pushToAll(content: Content<'_>, r#type: MessageType) -> bool {
        let call = Call::begin()?;
        if !users::is_installed(&call)? {
            return Ok(false);
        }
        rooms::push_to_all(&call, content.text, &r#type)
    }
}
