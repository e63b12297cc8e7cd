//! The writer's lease: a key that names the daemon that writes, and expires. It keeps two daemons from
//! competing. That nothing is written twice does not depend on it, but on the positions in MySQL.

use std::time::Duration;

use chatpush_wire::key::Prefix;
use redis::{Script, ScriptInvocation};

use super::{BrokerError, Commands, scripts};

/// How long the lease lasts without a renewal.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(6);

/// How often the lease is renewed.
pub(crate) const RENEWAL_INTERVAL: Duration = Duration::from_secs(2);

/// The writer's lease, as one daemon uses it.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    commands: Commands,
    key: String,
    /// The start of the channel that the holder subscribes to while it is connected.
    channel_prefix: String,
    daemon: String,
}

impl Lease {
    /// The lease of the installation with this prefix, for the daemon with this name.
    pub(crate) fn new(commands: Commands, prefix: &Prefix, daemon: String) -> Self {
        Self { commands, key: prefix.writer(), channel_prefix: prefix.daemon_channel(""), daemon }
    }

    /// Takes the lease if it is free, or if its holder is not connected to Redis any more. False if another
    /// daemon holds it.
    pub(crate) async fn acquire(&self) -> Result<bool, BrokerError> {
        let mut call = self.call(&scripts::ACQUIRE);
        self.commands.invoke(call.arg(LEASE_TTL.as_millis()).arg(&self.channel_prefix)).await
    }

    /// Renews the lease. False if this daemon does not hold it any more.
    pub(crate) async fn renew(&self) -> Result<bool, BrokerError> {
        self.commands.invoke(self.call(&scripts::RENEW).arg(LEASE_TTL.as_millis())).await
    }

    /// Releases the lease, so that another daemon need not wait until it expires.
    pub(crate) async fn release(&self) -> Result<(), BrokerError> {
        self.commands.invoke(&self.call(&scripts::RELEASE)).await
    }

    /// Whether this daemon holds the lease.
    pub(crate) async fn is_mine(&self) -> Result<bool, BrokerError> {
        let (holder,): (Option<String>,) =
            self.commands.send(redis::pipe().cmd("GET").arg(&self.key)).await?;
        Ok(holder.as_deref() == Some(&self.daemon))
    }

    /// Whether any daemon holds the lease.
    pub(crate) async fn is_held(&self) -> Result<bool, BrokerError> {
        let (held,): (bool,) = self.commands.send(redis::pipe().cmd("EXISTS").arg(&self.key)).await?;
        Ok(held)
    }

    /// Whether nobody can hold the lease for now, because Redis takes no writes.
    pub(crate) async fn is_refused(&self) -> Result<bool, BrokerError> {
        // A write that changes nothing if there is no such key.
        let mut probe = redis::pipe();
        probe.cmd("PEXPIRE").arg(&self.key).arg(LEASE_TTL.as_millis()).arg("NX").ignore();
        match self.commands.send(&probe).await {
            Ok(()) => Ok(false),
            Err(error) if error.is_refusal() => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.key(&self.key);
        call.arg(&self.daemon);
        call
    }
}
