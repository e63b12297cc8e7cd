//! Functions that sign tokens.

use crate::calls::token;
use crate::declaration::function;
use crate::parameters::{NONE, Peers, Rooms, Ttl};
use crate::users::UserArgument;

function! {
    /// Returns a token with which a user's browser connects: `new WebSocket(url + '?token=' + token)`.
    ///
    /// @param string|int $user_id of any type: chatpushd refuses a token whose user is not of its `user_id_type`
    /// @param int $ttl_seconds its lifetime in seconds, 1 to 31536000
    /// @return string a JSON Web Token, signed with `chatpush.secret`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\Exception `chatpush.secret` is not set or too short
    fn connectToken(user_id: UserArgument, ttl_seconds: Ttl = 3600) -> String {
        token::connect_token(user_id.id(), ttl_seconds)
    }
}

function! {
    /// Returns a grant: whose presence a user's pages see and whom they may send client events, and which
    /// rooms they are in.
    ///
    /// `ChatPush.connect({ token, grant })` sends it on every connection. It replaces the one before, and ends
    /// when it expires. `disconnectUser()` revokes it like a token. It does not connect by itself.
    ///
    /// @param string|int $user_id of any type, as for `connectToken()`
    /// @param list<string|int> $peers user ids, at most 500; one that is there twice counts once
    /// @param list<string> $rooms at most 100 names of 1 to 64 letters, digits, or any of . _ : @ -
    /// @param int $ttl_seconds its lifetime in seconds, 1 to 31536000
    /// @return string a JSON Web Token, signed with `chatpush.secret`
    /// @throws \ValueError an argument is out of range; one in a list is named by its key
    /// @throws \ChatPush\Exception `chatpush.secret` is not set or too short
    fn grantToken(
        user_id: UserArgument,
        peers: Peers = NONE,
        rooms: Rooms = NONE,
        ttl_seconds: Ttl = 3600,
    ) -> String {
        token::grant_token(user_id.id(), &peers.of_any_type(), &rooms, ttl_seconds)
    }
}
