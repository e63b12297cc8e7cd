//! Which daemons there are.

use std::collections::BTreeMap;
use std::time::Duration;

use chatpush_wire::key::Prefix;
use tokio::time::{Instant, sleep};

use super::{BrokerError, Commands};

/// How long a daemon may be silent before its subscriptions are ended. It makes them again when it wakes up.
pub(crate) const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(9);

/// How often the heartbeats are read while one is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The names of all daemons that have sent a heartbeat. Some of them may be gone.
pub(crate) async fn daemons(commands: &Commands, prefix: &Prefix) -> Result<Vec<String>, BrokerError> {
    Ok(all(commands, prefix).await?.into_keys().collect())
}

/// The last heartbeat of each daemon.
async fn all(commands: &Commands, prefix: &Prefix) -> Result<BTreeMap<String, String>, BrokerError> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("HGETALL").arg(prefix.heartbeats());
    let (heartbeats,) = commands.send(&pipeline).await?;
    Ok(heartbeats)
}

/// The name of a daemon that sends heartbeats, other than `own`. It is waited for as long as a daemon may be silent.
/// `at_once`: it is not if none has sent a heartbeat before.
pub(crate) async fn living(
    commands: &Commands,
    prefix: &Prefix,
    own: &str,
    at_once: bool,
) -> Result<Option<String>, BrokerError> {
    let mut first = all(commands, prefix).await?;
    first.remove(own);
    if at_once && first.is_empty() {
        return Ok(None);
    }
    let until = Instant::now() + HEARTBEAT_TIMEOUT;
    while Instant::now() < until {
        sleep(LOOK_INTERVAL).await;
        let now = all(commands, prefix).await?;
        let sent = now.into_iter().find(|(daemon, sent)| daemon != own && first.get(daemon) != Some(sent));
        if let Some((daemon, _)) = sent {
            return Ok(Some(daemon));
        }
    }
    Ok(None)
}

/// Forgets the heartbeat of a daemon that stops, so that nobody waits for the next one.
pub(crate) async fn forget(commands: &Commands, prefix: &Prefix, daemon: &str) -> Result<(), BrokerError> {
    commands.send(redis::pipe().cmd("HDEL").arg(prefix.heartbeats()).arg(daemon).ignore()).await
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
