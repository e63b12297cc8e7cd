//! Which daemons there are.

use chatpush_wire::key::Prefix;

use super::{BrokerError, Commands};

/// The names of all daemons that have sent a heartbeat. Some of them may be gone.
pub(crate) async fn daemons(commands: &Commands, prefix: &Prefix) -> Result<Vec<String>, BrokerError> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("HGETALL").arg(prefix.heartbeats());
    let (heartbeats,): (Vec<(String, String)>,) = commands.send(&pipeline).await?;
    Ok(heartbeats.into_iter().map(|(daemon, _)| daemon).collect())
}

/// For each daemon how many subscribers its own channel has: 0 if it is gone.
pub(crate) async fn subscribers(
    commands: &Commands,
    prefix: &Prefix,
    daemons: &[String],
) -> Result<Vec<u64>, BrokerError> {
    if daemons.is_empty() {
        return Ok(Vec::new());
    }
    let mut pipeline = redis::pipe();
    // A channel in each command, because each may be in another slot of a Redis Cluster.
    for daemon in daemons {
        pipeline.cmd("PUBSUB").arg("SHARDNUMSUB").arg(prefix.daemon_channel(daemon));
    }
    let counts: Vec<Vec<(String, u64)>> = commands.send(&pipeline).await?;
    Ok(counts.into_iter().map(|counts| counts.into_iter().map(|(_, count)| count).sum()).collect())
}
