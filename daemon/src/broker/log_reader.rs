//! Reads the logs, and waits for new entries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::id::UserIdType;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::{Partition, Partitions};
use redis::{Cmd, FromRedisValue as _, RedisError};
use tokio::time::timeout;

use super::cluster::blocking_reads::BlockingReads;
use super::cluster::replication::OfMasters;
use super::replicas::{Late, Wait};
use super::{BLOCK_TIMEOUT, BrokerError, Commands, Connection, blocking_connection};
use crate::log::batch::LogEntry;
use crate::log::position::Position;

/// The answer to XREAD: for each key, entries with their id and fields.
type Streams = Vec<(String, Vec<(String, Vec<(String, String)>)>)>;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct LogRead {
    /// In the order of each log.
    pub(crate) entries: Vec<LogEntry>,
    /// Whose logs were read: those that have no entries here have none now. In a cluster, the others are still being read.
    pub(crate) answered: Partitions,
}

/// Reads the logs of all partitions.
#[derive(Debug)]
pub(crate) struct LogReader {
    commands: Commands,
    prefix: Prefix,
    user_ids: UserIdType,
    connections: Connections,
    /// How many replicas must have what was read; 0: none.
    replicas: u32,
}

#[derive(Debug)]
enum Connections {
    /// All logs are on one server.
    One(Box<Connection>, Wait),
    /// Each partition is on one of several.
    Each(BlockingReads, OfMasters),
}

impl LogReader {
    /// Opens what is needed to read. In a cluster that is done with the first read.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn open(
        commands: &Commands,
        prefix: &Prefix,
        user_ids: UserIdType,
        replicas: u32,
    ) -> Result<Self, BrokerError> {
        let connector = commands.connector();
        let connections = if let Some(cluster) = connector.cluster() {
            let masters =
                if replicas > 0 { OfMasters::open(connector, cluster).await? } else { OfMasters::default() };
            Connections::Each(BlockingReads::new(connector.clone()), masters)
        } else {
            Connections::One(Box::new(blocking_connection(connector).await?), Wait::default())
        };
        Ok(Self { commands: commands.clone(), prefix: prefix.clone(), user_ids, connections, replicas })
    }

    /// Reads the entries after the given position of each partition, at most `count` of each, in the order of each
    /// log. Waits up to `wait` for a first entry; without `wait` it returns at once.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn read(
        &mut self,
        after: &[(Partition, Position)],
        count: usize,
        wait: Option<Duration>,
    ) -> Result<LogRead, BrokerError> {
        let mut entries = Vec::new();
        let mut answered: Partitions = after.iter().map(|(partition, _)| *partition).collect();
        match (&mut self.connections, wait) {
            (Connections::One(connection, _), wait) => {
                let found: Option<Streams> =
                    connection.command(&command(&self.prefix, after, count, wait)).await?;
                self.add(&mut entries, found);
            }
            (Connections::Each(..), None) => {
                let mut pipeline = redis::pipe();
                for one in after {
                    pipeline.add_command(command(&self.prefix, std::slice::from_ref(one), count, None));
                }
                let found: Vec<Option<Streams>> = self.commands.send(&pipeline).await?;
                for found in found {
                    self.add(&mut entries, found);
                }
            }
            (Connections::Each(reads, _), Some(wait)) => {
                for one in after {
                    if !reads.is_busy(one.0) {
                        let waiting = Some(BLOCK_TIMEOUT);
                        reads.start(one.0, command(&self.prefix, std::slice::from_ref(one), count, waiting));
                    }
                }
                let mut found = Vec::new();
                if let Ok(Some(first)) = timeout(wait, reads.next()).await {
                    found.push(first?);
                    while let Some(next) = reads.try_next() {
                        found.push(next?);
                    }
                }
                let wanted = std::mem::take(&mut answered);
                for (partition, answer) in found {
                    // None: the partition is elsewhere.
                    let Some(answer) = answer.filter(|_| wanted.contains(partition)) else { continue };
                    answered = answered.with(Partitions::from_iter([partition]));
                    let streams = Option::from_redis_value(answer).map_err(RedisError::from)?;
                    self.add(&mut entries, streams);
                }
                // A read may have begun before its partition was read from elsewhere.
                let positions: BTreeMap<_, _> = after.iter().copied().collect();
                entries
                    .retain(|entry| positions.get(&entry.partition).is_some_and(|at| entry.position > *at));
            }
        }
        Ok(LogRead { entries, answered })
    }

    /// Those of the partitions whose entries too few replicas have, of what was read until now. Asks nothing if none is
    /// wanted.
    ///
    /// # Errors
    ///
    /// When a master cannot be reached, or is not the one any more that was read from.
    pub(crate) async fn unreplicated(
        &mut self,
        partitions: &BTreeSet<Partition>,
    ) -> Result<Late, BrokerError> {
        let (prefix, wanted) = (&self.prefix, self.replicas);
        if wanted == 0 || partitions.is_empty() {
            return Ok(Late::default());
        }
        match &mut self.connections {
            // The connection that has read them is the server's that has them.
            Connections::One(connection, wait) => {
                let marks = [prefix.replication_mark(Partition::FIRST)];
                let found = wait.replicas(connection, &marks, wanted).await?;
                Ok(Late::of_one(partitions, found.shortage(None, wanted)?))
            }
            Connections::Each(reads, masters) => {
                masters.late(reads.masters(), prefix, partitions, wanted).await
            }
        }
    }

    fn add(&self, entries: &mut Vec<LogEntry>, found: Option<Streams>) {
        for (key, stream) in found.unwrap_or_default() {
            let Some(partition) = self.prefix.partition_of_log(&key) else { continue };
            for (id, fields) in stream {
                let Ok(position) = id.parse() else { continue };
                let entry = Entry::decode(&fields, self.user_ids);
                entries.push(LogEntry { partition, position, entry, fields });
            }
        }
    }
}

fn command(prefix: &Prefix, after: &[(Partition, Position)], count: usize, wait: Option<Duration>) -> Cmd {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(count);
    if let Some(wait) = wait {
        // BLOCK 0 would wait forever.
        command.arg("BLOCK").arg(wait.as_millis().max(1));
    }
    command.arg("STREAMS");
    for (partition, _) in after {
        command.arg(prefix.log(*partition));
    }
    for (_, position) in after {
        command.arg(position.to_string());
    }
    command
}
