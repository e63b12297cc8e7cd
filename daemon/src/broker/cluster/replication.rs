//! The wait for the replicas of the masters of a cluster.

use std::collections::{BTreeMap, BTreeSet};

use chatpush_wire::address::Endpoint;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use futures_util::future::try_join_all;
use redis::Value;

use super::nodes::Cluster;
use super::redirected::Again;
use crate::broker::replicas::{Found, Late, TooFewReplicas, Wait, open};
use crate::broker::{BrokerError, Connection, Connector};

/// A connection to each master, on which only replicas are waited for. All were opened before anything was read: what
/// has been read since then is on the server that answers.
#[derive(Debug, Default)]
pub(in crate::broker) struct OfMasters(BTreeMap<Endpoint, (Connection, Wait)>);

impl OfMasters {
    /// Opens a connection to each master.
    ///
    /// # Errors
    ///
    /// When one cannot be reached.
    pub(in crate::broker) async fn open(
        connector: &Connector,
        cluster: &Cluster,
    ) -> Result<Self, BrokerError> {
        let topology = cluster.topology().await?;
        let opened = topology.masters().into_iter().map(|master| async move {
            let connection = open(connector, Some(master)).await?;
            Ok::<_, BrokerError>((master.clone(), (connection, Wait::default())))
        });
        Ok(Self(try_join_all(opened).await?.into_iter().collect()))
    }

    /// Those of the partitions whose entries, which were read from these masters, too few replicas have. All masters are
    /// waited for at the same time.
    ///
    /// # Errors
    ///
    /// When a master cannot be reached, or is one since the connections were opened.
    pub(in crate::broker) async fn late(
        &mut self,
        read_from: &BTreeMap<Partition, Endpoint>,
        prefix: &Prefix,
        partitions: &BTreeSet<Partition>,
        wanted: u32,
    ) -> Result<Late, BrokerError> {
        let mut late = Late::default();
        let mut own: BTreeMap<&Endpoint, Vec<Partition>> = BTreeMap::new();
        for partition in partitions {
            match read_from.get(partition) {
                Some(master) => own.entry(master).or_default().push(*partition),
                // Where it was read from is known with the next read.
                None => late.partitions.push(*partition),
            }
        }
        if own.keys().any(|master| !self.0.contains_key(*master)) {
            return Err(BrokerError::new("a partition has another master now"));
        }
        let waits = self.0.iter_mut().filter_map(|(master, (connection, wait))| {
            let partitions = own.remove(master)?;
            Some(async move {
                let marks: Vec<_> =
                    partitions.iter().map(|partition| prefix.replication_mark(*partition)).collect();
                let found = wait.replicas(connection, &marks, wanted).await?;
                Ok::<_, BrokerError>((master, partitions, found))
            })
        });
        for (master, partitions, Found { replicas, marks }) in try_join_all(waits).await? {
            if replicas < wanted.into() {
                late.partitions.extend(partitions);
                late.shortage =
                    Some(TooFewReplicas { master: Some(master.clone()), found: replicas, wanted });
                continue;
            }
            for (partition, mark) in partitions.into_iter().zip(marks) {
                if is_elsewhere(&mark, master) {
                    late.partitions.push(partition);
                } else {
                    mark.extract_error()?;
                }
            }
        }
        Ok(late)
    }
}

/// Whether the master does not have the partition any more, or gives it away.
fn is_elsewhere(mark: &Value, master: &Endpoint) -> bool {
    Again::of(mark, master).is_some()
}
