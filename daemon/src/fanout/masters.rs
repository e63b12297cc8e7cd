//! The masters of a cluster, each with a share of the partitions.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatpush_wire::address::Endpoint;
use chatpush_wire::cluster::Topology;
use chatpush_wire::partition::Partitions;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::broker::cluster::nodes::Cluster;
use crate::fanout::subscriber::Subscriber;

/// The partitions of one server.
#[derive(Debug)]
pub(super) struct Share(Option<(Endpoint, watch::Receiver<Arc<Topology>>)>);

impl Share {
    /// All of them: there is one server.
    pub(super) const fn whole() -> Self {
        Self(None)
    }

    /// Which they are now.
    pub(super) fn partitions(&self) -> Partitions {
        let Some((master, topology)) = &self.0 else { return Partitions::ALL };
        topology.borrow().partitions_of(master)
    }

    /// The server, if there are several.
    pub(super) fn master(&self) -> Option<&Endpoint> {
        self.0.as_ref().map(|(master, _)| master)
    }

    /// Returns once they are others than `partitions`.
    pub(super) async fn moved(&mut self, partitions: Partitions) {
        let Some((master, topology)) = &mut self.0 else { return std::future::pending().await };
        let is_over = topology.wait_for(|now| now.partitions_of(master) != partitions).await.is_err();
        if is_over {
            // The daemon ends.
            std::future::pending::<()>().await;
        }
    }
}

/// Keeps the subscriptions at every master that has partitions, until `stop` is cancelled.
pub(super) async fn keep_all(subscriber: &Arc<Subscriber>, cluster: &Cluster, stop: &CancellationToken) {
    let mut redis = Backoff::new("Redis Cluster");
    let mut topology = cluster.watch();
    let mut kept = JoinSet::new();
    let mut masters = BTreeSet::new();
    while !stop.is_cancelled() {
        let known = tokio::select! {
            known = cluster.topology() => known,
            () = stop.cancelled() => break,
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                redis.failed(&error).await;
                continue;
            }
        };
        redis.recovered();
        topology.mark_unchanged();
        for master in known.partitions().into_keys().filter(|master| masters.insert((*master).clone())) {
            let (share, subscriber) = (Share(Some((master.clone(), cluster.watch()))), subscriber.clone());
            let (master, stop) = (master.clone(), stop.clone());
            kept.spawn(async move {
                subscriber.keep(share, &stop).await;
                master
            });
        }
        tokio::select! {
            _ = topology.changed() => {}
            // It had no partitions any more, but may have some again.
            Some(Ok(master)) = kept.join_next() => { masters.remove(&master); }
            () = stop.cancelled() => {}
        }
    }
    while kept.join_next().await.is_some() {}
}
