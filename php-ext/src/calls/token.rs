//! Signing a connect token. Nothing is sent.

use chatpush_wire::id::UserId;
use chatpush_wire::token;

use super::now_ms;
use crate::error::Error;
use crate::settings;

/// A connect token that is valid for `ttl` seconds.
pub(crate) fn connect_token(user: UserId, ttl: u64) -> Result<String, Error> {
    let settings = settings::current()?;
    match &settings.secret {
        Ok(Some(secret)) => Ok(token::sign(secret, user, settings.audience.as_deref(), now_ms() / 1000, ttl)),
        Ok(None) => Err(Error::NoSecret),
        Err(invalid) => Err(invalid.clone().into()),
    }
}
