//! What waits in the logs, and who writes.

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::clock::{RedisTime, milliseconds};
use super::{BrokerError, Commands, scripts};
use crate::log::position::Position;

/// What Redis says about the installation.
#[derive(Clone, Debug)]
pub(crate) struct Backlog {
    /// The daemon that holds the writer's lease.
    pub(crate) writer: Option<String>,
    /// The log of each partition.
    pub(crate) logs: Vec<LogLength>,
}

/// One partition's log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLength {
    /// Whose log.
    pub(crate) partition: Partition,
    /// Its entries, those included that were applied a few seconds ago.
    pub(crate) entries: u64,
    /// How long its first entry has waited that MySQL does not hold, in milliseconds.
    pub(crate) oldest_ms: Option<u64>,
}

/// Reads it in one round trip. `applied` says how far MySQL holds a partition's log.
pub(crate) async fn read(
    commands: &Commands,
    prefix: &Prefix,
    applied: impl Fn(Partition) -> Position,
) -> Result<Backlog, BrokerError> {
    let mut pipeline = redis::pipe();
    pipeline.load_script(&scripts::BACKLOG).ignore();
    for partition in Partition::all() {
        pipeline
            .invoke_script(scripts::BACKLOG.key(prefix.log(partition)).arg(applied(partition).to_string()));
    }
    let found: Vec<(u64, String)> = commands.send(&pipeline).await?;
    let mut others = redis::pipe();
    others.cmd("TIME").cmd("GET").arg(prefix.writer());
    let (time, writer): (RedisTime, Option<String>) = commands.send(&others).await?;
    let now = milliseconds(time);
    let logs = Partition::all().zip(found).map(|(partition, (entries, first))| {
        let first = first.parse::<Position>().ok();
        let oldest_ms = first.map(|first| now.saturating_sub(first.time_ms()));
        LogLength { partition, entries, oldest_ms }
    });
    Ok(Backlog { writer, logs: logs.collect() })
}
