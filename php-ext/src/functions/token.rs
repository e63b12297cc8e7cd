//! The function that signs connect tokens.

use chatpush_wire::id::UserId;

use crate::calls::token;
use crate::declaration::function;
use crate::parameters::Ttl;

function! {
    /// Returns a token with which a user's browser connects: `new WebSocket(url + '?token=' + token)`.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param int $ttl_seconds its lifetime in seconds, 1 to 31536000
    /// @return string a JSON Web Token, signed with `chatpush.secret`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\Exception `chatpush.secret` is not set or too short
    fn connectToken(user_id: UserId, ttl_seconds: Ttl = 3600) -> String {
        token::connect_token(user_id, ttl_seconds)
    }
}
