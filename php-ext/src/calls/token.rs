//! Signing tokens. Nothing is sent.

use chatpush_wire::grant;
use chatpush_wire::id::AnyUserId;
use chatpush_wire::room::Room;
use chatpush_wire::token::{self, Secret};

use super::now_ms;
use crate::error::Error;
use crate::settings;

/// A connect token that is valid for `ttl` seconds.
pub(crate) fn connect_token(user: &AnyUserId, ttl: u64) -> Result<String, Error> {
    signed(|secret, audience, now| token::sign(secret, user, audience, now, ttl))
}

/// A grant that is valid for `ttl` seconds.
pub(crate) fn grant_token(
    user: &AnyUserId,
    peers: &[AnyUserId],
    rooms: &[Room],
    ttl: u64,
) -> Result<String, Error> {
    signed(|secret, audience, now| grant::sign(secret, user, audience, now, ttl, peers, rooms))
}

/// Signs with the settings of this process, now.
fn signed(sign: impl FnOnce(&Secret, Option<&str>, u64) -> String) -> Result<String, Error> {
    let settings = settings::current()?;
    match &settings.secret {
        Ok(Some(secret)) => Ok(sign(secret, settings.audience.as_deref(), now_ms() / 1000)),
        Ok(None) => Err(Error::NoSecret),
        Err(invalid) => Err(invalid.clone().into()),
    }
}
