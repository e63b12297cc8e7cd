//! Whether Redis takes writes.

use chatpush_wire::key::Prefix;

use super::{BrokerError, Commands};

/// What to do when it does not.
pub(crate) const REMEDY: &str =
    "raise maxmemory, or see min-replicas-to-write and the replicas, or the disk of Redis";

/// Sends a write that changes nothing. A Redis that is at `maxmemory`, has too few replicas or cannot write its file
/// refuses it too ([`BrokerError::is_refusal`]).
pub(crate) async fn try_one(commands: &Commands, prefix: &Prefix) -> Result<(), BrokerError> {
    // Nobody asks such a question, so the key is not there, and is not written then.
    let key = prefix.answers("check");
    commands.send::<()>(redis::pipe().cmd("SET").arg(key).arg("").arg("XX").ignore()).await
}
