//! Redis's clock, by which messages are accepted: it may differ from this machine's.

use std::sync::atomic::{AtomicI64, Ordering};

use super::{BrokerError, Commands};
use crate::base::clock;

/// What `TIME` answers: seconds since 1970, and microseconds.
pub(super) type RedisTime = (u64, u64);

/// The same in milliseconds.
pub(super) const fn milliseconds((seconds, microseconds): RedisTime) -> u64 {
    seconds * 1_000 + microseconds / 1_000
}

/// Redis's clock, as it was read last.
#[derive(Debug, Default)]
pub(crate) struct RedisClock {
    /// How far it is ahead of this machine's, in milliseconds.
    ahead: AtomicI64,
}

impl RedisClock {
    /// Reads the clock.
    pub(crate) async fn read(&self, commands: &Commands) -> Result<(), BrokerError> {
        let before = clock::unix_milliseconds();
        let (time,): (RedisTime,) = commands.send(redis::pipe().cmd("TIME")).await?;
        // It was read about in the middle of the round trip.
        let own = u64::midpoint(before, clock::unix_milliseconds());
        let ahead = milliseconds(time).cast_signed() - own.cast_signed();
        self.ahead.store(ahead, Ordering::Relaxed);
        Ok(())
    }

    /// Its time in milliseconds since 1970. This machine's, until it was read.
    pub(crate) fn now(&self) -> u64 {
        clock::unix_milliseconds().saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }
}
