//! The query lists.

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::{Cmd, FromRedisValue as _, RedisError};

use super::cluster::blocking_reads::BlockingReads;
use super::{BLOCK_TIMEOUT, BrokerError, Connection, Connector, blocking_connection};

/// Takes queries from the lists.
#[derive(Debug)]
pub(crate) struct QueryLists {
    prefix: Prefix,
    connections: Connections,
}

#[derive(Debug)]
enum Connections {
    /// All lists are on one server. They are tried from the partition `first` on, another one each time, so that no busy
    /// partition starves the others.
    One { connection: Box<Connection>, first: u8 },
    /// Each partition is on one of several.
    Each(BlockingReads),
}

impl QueryLists {
    /// Opens what is needed to wait. In a cluster that is done with the first query.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn open(connector: &Connector, prefix: &Prefix) -> Result<Self, BrokerError> {
        let connections = if connector.cluster().is_some() {
            Connections::Each(BlockingReads::new(connector.clone()))
        } else {
            Connections::One { connection: Box::new(blocking_connection(connector).await?), first: 0 }
        };
        Ok(Self { prefix: prefix.clone(), connections })
    }

    /// Pops up to `count` queries of one partition, oldest first. Waits up to [`BLOCK_TIMEOUT`] for one.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub(crate) async fn pop(&mut self, count: usize) -> Result<Vec<String>, BrokerError> {
        let popped: Option<(String, Vec<String>)> = match &mut self.connections {
            Connections::One { connection, first } => {
                let (last, all) = (*first, Partition::COUNT);
                *first = (last + 1) % all;
                let partitions = (0..all).filter_map(|step| Partition::new((last + step) % all));
                connection.command(&command(&self.prefix, partitions, count)).await?
            }
            Connections::Each(reads) => {
                for partition in
                    Partition::all().filter(|partition| !reads.is_busy(*partition)).collect::<Vec<_>>()
                {
                    reads.start(partition, command(&self.prefix, [partition], count));
                }
                match reads.next().await.transpose()? {
                    Some((_, Some(answer))) => Option::from_redis_value(answer).map_err(RedisError::from)?,
                    Some((_, None)) | None => None,
                }
            }
        };
        Ok(popped.map(|(_, queries)| queries).unwrap_or_default())
    }
}

fn command(prefix: &Prefix, partitions: impl IntoIterator<Item = Partition>, count: usize) -> Cmd {
    let lists: Vec<_> = partitions.into_iter().map(|partition| prefix.query_list(partition)).collect();
    let mut command = redis::cmd("BLMPOP");
    command.arg(BLOCK_TIMEOUT.as_secs_f64()).arg(lists.len());
    for list in lists {
        command.arg(list);
    }
    command.arg("LEFT").arg("COUNT").arg(count);
    command
}
