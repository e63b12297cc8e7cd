//! Heartbeats between daemons. A daemon that hangs keeps its connection to Redis, so its users would count as
//! online; another daemon notices the missing heartbeat and ends that connection.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::entry::GENERATION;
use chatpush_wire::partition::{Partition, Partitions};
use tokio::time::Instant;

use super::{presence, subscriber_clients};
use crate::broker::heartbeats::HEARTBEAT_TIMEOUT;
use crate::broker::{BrokerError, Connection, scripts};
use crate::services::Services;

/// How often a daemon sends its heartbeat and looks for missing ones.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

/// How old this daemon's own last heartbeat may be, by Redis's clock, when it judges others. After a longer gap
/// theirs may be old for the same reason: the machine was frozen or suspended. Theirs may be one interval older.
const OWN_TIMEOUT: Duration = HEARTBEAT_TIMEOUT.saturating_sub(HEARTBEAT_INTERVAL);

/// The heartbeat of one connection that holds subscriptions.
#[derive(Debug)]
pub(super) struct Heartbeat {
    services: Arc<Services>,
    /// What the connection is subscribed to.
    partitions: Partitions,
    /// Redis's id of the connection (CLIENT ID).
    client_id: u64,
    next: Instant,
    /// The first of the heartbeats that have succeeded without a gap since.
    steady_since: Option<Instant>,
}

impl Heartbeat {
    /// Names the connection, so that other daemons recognise it, and prepares its heartbeat. The first one is
    /// due.
    pub(super) async fn of(
        services: Arc<Services>,
        partitions: Partitions,
        connection: &mut Connection,
    ) -> Result<Self, BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLIENT").arg("SETNAME").arg(&services.daemon).ignore().cmd("CLIENT").arg("ID");
        let (client_id,): (u64,) = connection.pipeline(&pipeline).await?;
        Ok(Self { services, partitions, client_id, next: Instant::now(), steady_since: None })
    }

    /// Redis's id of the connection.
    pub(super) fn client_id(&self) -> u64 {
        self.client_id
    }

    /// When the next heartbeat is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Sends the heartbeat if it is due, and ends the subscriptions of daemons whose heartbeat is missing.
    /// Returns, if it was due, the lowest generation of log entries that a daemon reads; 0 if that is not known.
    ///
    /// # Errors
    ///
    /// When the connection breaks. If Redis refuses the heartbeat, the subscriptions still serve, so that is
    /// only logged.
    pub(super) async fn send_if_due(
        &mut self,
        connection: &mut Connection,
    ) -> Result<Option<u32>, BrokerError> {
        let now = Instant::now();
        if now < self.next {
            return Ok(None);
        }
        let mut lowest = 0;
        match self.send(connection).await {
            Ok((is_steady, generation, silent)) => {
                // Every daemon is subscribed in the first partition, whatever else it can reach.
                if self.partitions.contains(Partition::FIRST) {
                    lowest = generation;
                }
                if !is_steady {
                    self.steady_since = None;
                }
                self.steady_since.get_or_insert(now);
                for (daemon, client_id) in &silent {
                    if subscriber_clients::end(connection, daemon, client_id).await? {
                        tracing::warn!(daemon, "a daemon sends no heartbeat, ended its subscriptions");
                        connection
                            .pipeline::<()>(&presence::announce_everyone(&self.services, self.partitions))
                            .await?;
                    }
                }
            }
            Err(error) if error.is_broken() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "Redis refuses the heartbeat: other daemons cannot see if this one hangs");
                self.steady_since = None;
            }
        }
        self.next = Instant::now() + HEARTBEAT_INTERVAL;
        Ok(Some(lowest))
    }

    /// Sends the heartbeat. Returns whether the last one was not long ago, the lowest generation of log entries
    /// that a daemon reads, and name and client id of each daemon whose heartbeat is missing.
    ///
    /// When Redis has accepted no heartbeats for a while, or the whole machine was paused, all are old, and the
    /// first daemon to send one again must not take the others for hung. So a daemon judges others only when its
    /// own heartbeats have been accepted without a gap for as long as it demands of them. The gap is measured by
    /// Redis: the clock of this process may have stood still (`clock_gettime(2)`, `CLOCK_MONOTONIC`).
    async fn send(
        &self,
        connection: &mut Connection,
    ) -> Result<(bool, u32, Vec<(String, String)>), BrokerError> {
        let Services { prefix, daemon, .. } = &*self.services;
        let judges = self.steady_since.is_some_and(|since| since.elapsed() >= HEARTBEAT_TIMEOUT);
        // The heartbeats of those that are subscribed on the same server.
        let key = match self.partitions.iter().next() {
            Some(first) if first != Partition::FIRST => prefix.heartbeats_of(first),
            _ => prefix.heartbeats(),
        };
        let mut call = scripts::HEARTBEAT.key(key);
        call.arg(daemon)
            .arg(self.client_id)
            .arg(HEARTBEAT_TIMEOUT.as_millis())
            .arg(u8::from(judges))
            .arg(GENERATION)
            .arg(OWN_TIMEOUT.as_millis());
        connection.invoke(&call).await
    }
}
