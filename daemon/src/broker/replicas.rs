//! Whether replicas have what a master has.
//!
//! `WAIT` counts the replicas that have acknowledged the last write of its own connection, and answers at once on one that
//! has written nothing (Redis manual, "WAIT"). So a mark is written first. Replication is one stream: a replica that has the
//! mark has everything that was written before it, by whomever. `WAIT` blocks its connection, so that is never one that
//! others share.

use std::collections::BTreeSet;
use std::time::Duration;

use chatpush_wire::address::Endpoint;
use chatpush_wire::key::Prefix;
use chatpush_wire::lua::MARK;
use chatpush_wire::partition::Partition;
use futures_util::future::try_join_all;
use redis::{FromRedisValue as _, ProtocolVersion, RedisError, Value};

use super::{BLOCK_TIMEOUT, BrokerError, COMMAND_TIMEOUT, Commands, Connection, Connector};
use crate::base::backoff::Failure;

/// How long replicas may take, the first time.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// What to do about too few of them.
pub(crate) const REMEDY: &str = "see the replicas, or lower redis.replicas";

/// The wait for the replicas of a server, over one connection.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// Whether too few had the last mark in time. Then they are not waited for until they have it: others would be held up.
    is_late: bool,
}

/// What has come of a wait.
#[derive(Debug)]
pub(super) struct Found {
    /// How many replicas have everything.
    pub(super) replicas: u64,
    /// The answer to each mark; none if an earlier one was asked for.
    pub(super) marks: Vec<Value>,
}

/// Partitions whose entries too few replicas have.
#[derive(Debug, Default)]
pub(crate) struct Late {
    pub(crate) partitions: Vec<Partition>,
    /// Why; nothing if a partition is only being moved.
    pub(crate) shortage: Option<TooFewReplicas>,
}

/// Fewer replicas have what a master has than must have it.
#[derive(Debug, thiserror::Error)]
#[error("{}{found} of {wanted} replicas have what was accepted", named(master.as_ref()))]
pub(crate) struct TooFewReplicas {
    /// The master, of a cluster.
    pub(crate) master: Option<Endpoint>,
    pub(crate) found: u64,
    pub(crate) wanted: u32,
}

fn named(master: Option<&Endpoint>) -> String {
    master.map(|master| format!("{master}: ")).unwrap_or_default()
}

impl Failure for TooFewReplicas {
    fn summary(&self) -> &'static str {
        "Redis has too few replicas (redis.replicas)"
    }
}

impl Wait {
    /// Writes these marks, and counts the replicas that have them within [`REPLICATION_TIMEOUT`].
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or refuses to wait.
    pub(super) async fn replicas(
        &mut self,
        connection: &mut Connection,
        marks: &[String],
        wanted: u32,
    ) -> Result<Found, BrokerError> {
        if self.is_late {
            let mut wait = redis::pipe();
            // 0 would wait for ever.
            wait.cmd("WAIT").arg(wanted).arg(1);
            let (replicas,): (u64,) = connection.pipeline(&wait).await?;
            if replicas < wanted.into() {
                return Ok(Found { replicas, marks: Vec::new() });
            }
        }
        let mut commands = redis::pipe();
        for mark in marks {
            commands.cmd("EVAL").arg(MARK.source()).arg(1).arg(mark);
        }
        commands.cmd("WAIT").arg(wanted).arg(REPLICATION_TIMEOUT.as_millis());
        let mut answers = connection.values(&commands).await?;
        let counted = answers.pop().unwrap_or(Value::Nil).extract_error()?;
        let replicas = u64::from_redis_value(counted).map_err(RedisError::from)?;
        self.is_late = replicas < wanted.into();
        Ok(Found { replicas, marks: answers })
    }
}

impl Found {
    /// Too few replicas, if they are that.
    ///
    /// # Errors
    ///
    /// When a mark was refused: then nothing was waited for.
    pub(super) fn shortage(
        self,
        master: Option<&Endpoint>,
        wanted: u32,
    ) -> Result<Option<TooFewReplicas>, BrokerError> {
        for mark in self.marks {
            mark.extract_error()?;
        }
        let master = master.cloned();
        let is_short = self.replicas < wanted.into();
        Ok(is_short.then_some(TooFewReplicas { master, found: self.replicas, wanted }))
    }
}

impl Late {
    /// All of these partitions, if there is a shortage.
    pub(super) fn of_one(partitions: &BTreeSet<Partition>, shortage: Option<TooFewReplicas>) -> Self {
        let partitions = if shortage.is_some() { partitions.iter().copied().collect() } else { Vec::new() };
        Self { partitions, shortage }
    }
}

/// Opens a connection on which nothing else waits, to the master that is named, or without a name to the only one.
pub(super) async fn open(
    connector: &Connector,
    master: Option<&Endpoint>,
) -> Result<Connection, BrokerError> {
    let timeout = BLOCK_TIMEOUT + COMMAND_TIMEOUT;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(timeout));
    connector.open_to(master, ProtocolVersion::RESP2, config).await
}

/// The first master that has too few replicas now, if there is one. For whoever is not the writer.
///
/// # Errors
///
/// When a master cannot be reached, or refuses to wait.
pub(crate) async fn shortage(
    commands: &Commands,
    prefix: &Prefix,
    wanted: u32,
) -> Result<Option<TooFewReplicas>, BrokerError> {
    let connector = commands.connector();
    let masters: Vec<_> = match connector.cluster() {
        None => vec![(None, Partition::FIRST)],
        Some(cluster) => {
            let topology = cluster.topology().await?;
            let partitions = topology.partitions().into_iter();
            let first =
                partitions.filter_map(|(master, own)| Some((Some(master.clone()), own.iter().next()?)));
            first.collect()
        }
    };
    let asked = masters.iter().map(|(master, partition)| async {
        let master = master.as_ref();
        let mut connection = open(connector, master).await?;
        let marks = [prefix.replication_mark(*partition)];
        Wait::default().replicas(&mut connection, &marks, wanted).await?.shortage(master, wanted)
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().next())
}
