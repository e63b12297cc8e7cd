//! Which daemon writes: a key that runs out. It only keeps two daemons from getting in each other's way;
//! that nothing is written twice rests on the positions in MySQL.

use std::time::Duration;

use chatpush_wire::key::Prefix;
use redis::{Script, ScriptInvocation};

use super::{BrokerError, Commands, scripts};

/// How long a lease holds without being renewed.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(6);

/// How often it is renewed.
pub(crate) const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);

/// One daemon's view of the writer's lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    commands: Commands,
    key: String,
    /// What the channels begin with by which a holder is seen to be gone.
    channels: String,
    daemon: String,
}

impl Lease {
    /// The lease of an installation, for the daemon with this name.
    pub(crate) fn new(commands: Commands, prefix: &Prefix, daemon: String) -> Self {
        Self { commands, key: prefix.writer(), channels: prefix.daemon_channel(""), daemon }
    }

    /// Takes the lease if nobody holds it, or if its holder is not connected to Redis any more.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn acquire(&self) -> Result<bool, BrokerError> {
        let mut call = self.call(&scripts::ACQUIRE);
        self.commands.invoke(call.arg(LEASE_TTL.as_millis()).arg(&self.channels)).await
    }

    /// Renews the lease; false if it is another's by now.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn renew(&self) -> Result<bool, BrokerError> {
        self.commands.invoke(self.call(&scripts::RENEW).arg(LEASE_TTL.as_millis())).await
    }

    /// Gives the lease up, so that another daemon need not wait for it to run out.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the lease then runs out.
    pub(crate) async fn release(&self) -> Result<(), BrokerError> {
        self.commands.invoke(&self.call(&scripts::RELEASE)).await
    }

    /// Whether some daemon holds the lease.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn is_held(&self) -> Result<bool, BrokerError> {
        let (held,): (bool,) = self.commands.send(redis::pipe().cmd("EXISTS").arg(&self.key)).await?;
        Ok(held)
    }

    fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.key(&self.key);
        call.arg(&self.daemon);
        call
    }
}
