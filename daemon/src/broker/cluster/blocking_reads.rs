//! A blocking command in each partition at the same time.
//!
//! A command must not name keys of several slots, even if one master has them all (Redis Cluster specification), and a
//! connection whose command blocks executes no other. So each partition has a connection of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use chatpush_wire::address::Endpoint;
use chatpush_wire::partition::{Partition, Partitions};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{AsyncConnectionConfig, Cmd, ProtocolVersion, RedisResult, Value};
use tokio::time::{Instant, sleep};

use super::redirected::Again;
use crate::broker::{BLOCK_TIMEOUT, BrokerError, COMMAND_TIMEOUT, Connection, Connector};

/// How long a partition is left alone that is being moved, or has no master for now.
const PAUSE: Duration = Duration::from_millis(100);

/// Blocking commands, at most one in each partition.
pub(in crate::broker) struct BlockingReads {
    connector: Connector,
    /// Connections without a command.
    idle: BTreeMap<Partition, Connection>,
    /// Where the first command of each partition was answered.
    masters: BTreeMap<Partition, Endpoint>,
    waiting: FuturesUnordered<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    /// The partitions of these.
    busy: Partitions,
}

/// What has become of a command.
struct Ended {
    partition: Partition,
    /// The master that answered, and the connection to it.
    connection: Option<(Endpoint, Connection)>,
    /// Nothing if the master of the partition is another one, or none for now.
    answer: Result<Option<Value>, BrokerError>,
}

impl BlockingReads {
    /// No command yet.
    pub(in crate::broker) fn new(connector: Connector) -> Self {
        Self {
            connector,
            idle: BTreeMap::new(),
            masters: BTreeMap::new(),
            waiting: FuturesUnordered::new(),
            busy: Partitions::default(),
        }
    }

    /// Whether a command waits in this partition.
    pub(in crate::broker) fn is_busy(&self, partition: Partition) -> bool {
        self.busy.contains(partition)
    }

    /// The master of each partition's first command, which is that of all others too.
    pub(in crate::broker) const fn masters(&self) -> &BTreeMap<Partition, Endpoint> {
        &self.masters
    }

    /// Sends a command, which blocks for [`BLOCK_TIMEOUT`] at most, to the master of a partition that is not busy.
    pub(in crate::broker) fn start(&mut self, partition: Partition, command: Cmd) {
        let (connector, idle) = (self.connector.clone(), self.idle.remove(&partition));
        let last = self.masters.get(&partition).cloned();
        self.busy = self.busy.with(Partitions::from_iter([partition]));
        self.waiting.push(Box::pin(async move {
            let began = Instant::now();
            let (connection, answer) = match open(&connector, partition, last, idle).await {
                Ok(Some((master, mut connection))) => match read(&master, &mut connection, command).await {
                    Ok(Some(answer)) => (Some((master, connection)), Ok(Some(answer))),
                    Ok(None) => (None, Ok(None)),
                    Err(error) => (None, Err(error)),
                },
                Ok(None) => (None, Ok(None)),
                Err(error) => (None, Err(error)),
            };
            if let (Ok(None), Some(cluster)) = (&answer, connector.cluster()) {
                sleep(PAUSE).await;
                // Without an answer the old knowledge is tried again.
                let _ = cluster.ask_after(began).await;
            }
            Ended { partition, connection, answer }
        }));
    }

    /// The next answer, of any partition; none while no command waits. May be cancelled at any time.
    ///
    /// # Errors
    ///
    /// When a master cannot be reached, refuses a command, or is another one than that of the partition's first command.
    /// That one may have died, and the new one may have less.
    pub(in crate::broker) async fn next(
        &mut self,
    ) -> Option<Result<(Partition, Option<Value>), BrokerError>> {
        let ended = self.waiting.next().await?;
        Some(self.ended(ended))
    }

    /// As [`BlockingReads::next`], if there is an answer already.
    pub(in crate::broker) fn try_next(&mut self) -> Option<Result<(Partition, Option<Value>), BrokerError>> {
        use futures_util::FutureExt as _;
        let ended = self.waiting.next().now_or_never()??;
        Some(self.ended(ended))
    }

    fn ended(&mut self, ended: Ended) -> Result<(Partition, Option<Value>), BrokerError> {
        let Ended { partition, connection, answer } = ended;
        self.busy = self.busy.without(Partitions::from_iter([partition]));
        if let Some((master, connection)) = connection {
            self.idle.insert(partition, connection);
            self.masters.entry(partition).or_insert(master);
        }
        Ok((partition, answer?))
    }
}

/// A connection to the master of a partition; none if there is none for now.
async fn open(
    connector: &Connector,
    partition: Partition,
    last: Option<Endpoint>,
    idle: Option<Connection>,
) -> Result<Option<(Endpoint, Connection)>, BrokerError> {
    let Some(cluster) = connector.cluster() else { return Ok(None) };
    let Some(master) = cluster.topology().await?.master_of(partition).cloned() else { return Ok(None) };
    if last.is_some_and(|last| last != master) {
        return Err(BrokerError::new("a partition has another master now"));
    }
    if let Some(idle) = idle.filter(Connection::is_trusted) {
        return Ok(Some((master, idle)));
    }
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(BLOCK_TIMEOUT + COMMAND_TIMEOUT));
    let connection = connector.open_to(Some(&master), ProtocolVersion::RESP2, config).await?;
    Ok(Some((master, connection)))
}

/// The answer; none if the master has the partition no more, or does not execute the command for now.
async fn read(
    master: &Endpoint,
    connection: &mut Connection,
    command: Cmd,
) -> Result<Option<Value>, BrokerError> {
    let mut pipeline = redis::pipe();
    pipeline.add_command(command);
    let answers: RedisResult<Vec<Value>> = connection.values(&pipeline).await;
    let answer = answers?.into_iter().next().unwrap_or(Value::Nil);
    if Again::of(&answer, master).is_some() {
        return Ok(None);
    }
    Ok(Some(answer.extract_error()?))
}

impl fmt::Debug for BlockingReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingReads").field("busy", &self.busy).finish_non_exhaustive()
    }
}
