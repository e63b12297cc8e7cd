//! Who is connected: Redis counts the subscribers of each user's channel.

use std::collections::BTreeMap;

use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::{BrokerError, Commands};

/// Users in one command.
const COMMAND_USERS: usize = 256;

/// Which of these users are connected to any daemon.
pub(crate) async fn online(
    commands: &Commands,
    prefix: &Prefix,
    users: &[UserId],
) -> Result<Vec<(UserId, bool)>, BrokerError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let mut by_partition: BTreeMap<Partition, Vec<&UserId>> = BTreeMap::new();
    for user in users {
        by_partition.entry(Partition::of(user)).or_default().push(user);
    }
    let mut pipeline = redis::pipe();
    let mut asked = Vec::with_capacity(users.len());
    // A command names channels of one partition, so of one slot of a Redis Cluster.
    for users in by_partition.values().flat_map(|users| users.chunks(COMMAND_USERS)) {
        let command = pipeline.cmd("PUBSUB").arg("SHARDNUMSUB");
        for user in users {
            command.arg(prefix.user_channel(user));
            asked.push((*user).clone());
        }
    }
    let counts: Vec<Vec<(String, u64)>> = commands.send(&pipeline).await?;
    Ok(asked.into_iter().zip(counts.into_iter().flatten().map(|(_, count)| count > 0)).collect())
}
