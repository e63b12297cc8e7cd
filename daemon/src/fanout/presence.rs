//! The presence of the peers that connections of this daemon watch.
//!
//! Redis counts the subscribers of each user's channel, so it always knows who is online; nothing is stored.
//! A daemon announces whose subscription it has made or ended, and whoever watches these users asks Redis
//! again. A daemon that dies announces nothing: the others notice that nobody is subscribed to its own channel
//! any more, and ask about everybody.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::partition::{Partition, Partitions};
use chatpush_wire::presence::{self, Announcement};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::broker::presence::online;
use crate::broker::{BrokerError, heartbeats};
use crate::hub::Hub;
use crate::services::Services;

/// How often to look whether a daemon has died.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);

/// How long announcements gather before Redis is asked, and the least time between two looks at who can be sent a
/// frame.
const GATHER: Duration = Duration::from_millis(50);

/// Users in one question, so that Redis answers others in between.
const ASKED_AT_ONCE: usize = 4_096;

/// Most daemons whose end is watched for.
const DAEMONS: usize = 1_024;

/// Keeps what is known of the watched peers up to date. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Presence(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    user_ids: UserIdType,
    /// The daemons that are or were there, by name. A plain mutex: nothing awaits while holding it.
    daemons: Mutex<HashSet<String>>,
}

impl Presence {
    /// For the connections in `hub`, whose users have ids of this type. `Presence::run` does the work.
    pub fn new(hub: Arc<Hub>, user_ids: UserIdType) -> Self {
        Self(Arc::new(Shared { hub, user_ids, daemons: Mutex::default() }))
    }

    /// Takes an announcement on the presence channel of a partition.
    pub(super) fn take(&self, partition: Partition, announcement: &[u8]) {
        let Some(announcement) = Announcement::decode(announcement) else {
            tracing::warn!("cannot read an announcement: is a daemon of another version running?");
            return;
        };
        let mut daemons = self.daemons();
        if daemons.len() < DAEMONS && !daemons.contains(announcement.daemon) {
            daemons.insert(announcement.daemon.to_owned());
        }
        drop(daemons);
        let watching = self.0.hub.watching();
        match announcement.users() {
            Some(users) => watching.note(users.filter_map(|user| self.0.user_ids.text(user).ok())),
            None => watching.note_partitions([partition].into_iter()),
        }
    }

    /// Announcements in these partitions may have been missed.
    pub(super) fn missed(&self, partitions: Partitions) {
        self.0.hub.watching().note_partitions(partitions.iter());
    }

    /// Asks Redis about peers and tells the connections, until `stop` is cancelled.
    pub(crate) async fn run(self, services: Arc<Services>, stop: CancellationToken) {
        tokio::select! {
            () = self.serve(&services) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn serve(&self, services: &Services) {
        let watching = self.0.hub.watching();
        let mut redis = Backoff::new("Redis (presence)");
        let mut next_check = Instant::now();
        let mut next_flush = None;
        loop {
            let is_wanted = watching.is_wanted();
            let next = [is_wanted.then_some(next_check), next_flush].into_iter().flatten().min();
            tokio::select! {
                () = watching.changed() => sleep(GATHER).await,
                () = until(next) => {}
            }
            let done = async {
                if watching.is_wanted() && Instant::now() >= next_check {
                    next_check = Instant::now() + CHECK_INTERVAL;
                    if self.has_lost_daemon(services).await? {
                        self.missed(Partitions::ALL);
                    }
                }
                self.ask(services).await
            };
            match done.await {
                Ok(()) => redis.recovered(),
                Err(error) => redis.failed(&error).await,
            }
            // Not for each connection at its own time.
            next_flush = watching.flush().await.map(|next| next.max(Instant::now() + GATHER));
        }
    }

    /// Asks Redis about every peer whose state may have changed.
    async fn ask(&self, services: &Services) -> Result<(), BrokerError> {
        let watching = self.0.hub.watching();
        loop {
            let users = watching.take_questions(ASKED_AT_ONCE);
            if users.is_empty() {
                return Ok(());
            }
            match online(&services.commands, &services.prefix, &users).await {
                Ok(answers) => watching.answer(&answers).await,
                Err(error) => {
                    watching.note(users.into_iter());
                    return Err(error);
                }
            }
            watching.flush().await;
        }
    }

    /// Whether a daemon that was there is gone. Its connection to Redis is, so its users are offline.
    async fn has_lost_daemon(&self, services: &Services) -> Result<bool, BrokerError> {
        let Services { commands, prefix, daemon, .. } = services;
        let mut names: HashSet<_> = heartbeats::daemons(commands, prefix).await?.into_iter().collect();
        let known = self.daemons().clone();
        names.extend(known.iter().cloned());
        names.remove(daemon);
        let names: Vec<_> = names.into_iter().collect();
        let subscribers = heartbeats::subscribers(commands, prefix, &names).await?;
        let mut daemons = self.daemons();
        let mut lost = false;
        for (name, subscribers) in names.into_iter().zip(subscribers) {
            if subscribers > 0 {
                daemons.insert(name);
            } else if daemons.remove(&name) {
                tracing::debug!(daemon = name, "a daemon is gone: its users may be offline");
                lost = true;
            }
        }
        Ok(lost)
    }

    fn daemons(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.daemons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the announcements that these users have connected first or disconnected last to a pipeline. It must
/// follow the change of their subscriptions on the same connection.
pub(super) fn announce(pipeline: &mut redis::Pipeline, services: &Services, users: &[UserId]) {
    let mut by_partition: BTreeMap<Partition, Vec<&UserId>> = BTreeMap::new();
    for user in users {
        by_partition.entry(Partition::of(user)).or_default().push(user);
    }
    for (partition, users) in by_partition {
        let announcement = presence::of_users(&services.daemon, users);
        pipeline.cmd("SPUBLISH").arg(services.prefix.presence_channel(partition)).arg(announcement).ignore();
    }
}

/// The announcements that the state of everybody in these partitions may have changed.
pub(super) fn announce_everyone(services: &Services, partitions: Partitions) -> redis::Pipeline {
    let announcement = presence::of_everyone(&services.daemon);
    let mut pipeline = redis::pipe();
    for partition in partitions.iter() {
        pipeline.cmd("SPUBLISH").arg(services.prefix.presence_channel(partition)).arg(&announcement).ignore();
    }
    pipeline
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::heartbeats::HEARTBEAT_TIMEOUT;
    use crate::fanout::heartbeat::HEARTBEAT_INTERVAL;
    use crate::hub::watching::INTERVAL;

    /// What docs/rooms-and-presence.md promises.
    const GHOST: Duration = Duration::from_secs(15);

    #[test]
    fn users_of_a_daemon_that_dies_or_hangs_are_offline_in_time() {
        // Between what Redis knows and the frame.
        let told = GATHER + INTERVAL;
        // Redis has closed its connection; nobody has said so.
        assert!(CHECK_INTERVAL + told <= GHOST);
        // Another daemon ends its subscriptions, and says so. If that one dies meanwhile, its end is looked for.
        assert!(HEARTBEAT_TIMEOUT + HEARTBEAT_INTERVAL + told <= GHOST);
    }
}
