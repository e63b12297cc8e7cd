//! Which tokens were revoked: `disconnectUser` records the second before which a user's tokens are.

use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;

use super::{BrokerError, Commands};

/// The second, since 1970, before which the tokens of `user` are revoked, if they are.
pub(crate) async fn revoked_before(
    commands: &Commands,
    prefix: &Prefix,
    user: &UserId,
) -> Result<Option<u64>, BrokerError> {
    let (second,): (Option<u64>,) = commands.send(redis::pipe().cmd("GET").arg(prefix.revoked(user))).await?;
    Ok(second)
}
