//! The connection that holds the subscriptions; in a cluster, one to each master. It is opened again whenever it breaks;
//! each time is a new epoch, in which every session of its partitions replays, since pushes may have been missed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::address::Endpoint;
use chatpush_wire::partition::{Partition, Partitions};
use redis::{AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, PushKind};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::base::metrics;
use crate::broker::{BrokerError, COMMAND_TIMEOUT, Connection, Connector, heartbeats};
use crate::fanout::dispatch::Dispatcher;
use crate::fanout::heartbeat::Heartbeat;
use crate::fanout::leaving::{Leaving, Left};
use crate::fanout::log_repair;
use crate::fanout::masters::{self, Share};
use crate::fanout::presence::{self, Presence};
use crate::fanout::subscriber_clients::Predecessors;
use crate::fanout::subscriptions::{Hold, Subscriptions};
use crate::hub::Topic;
use crate::installation::{self, AgreementError};
use crate::services::Services;

/// How long it may take to unsubscribe from queries when the daemon stops.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Topics in one pipeline.
const PIPELINE_TOPICS: usize = 256;

/// Keeps the subscriptions of this daemon.
#[derive(Debug)]
pub(crate) struct Subscriber {
    services: Arc<Services>,
    subscriptions: Subscriptions,
    dispatcher: Dispatcher,
    presence: Presence,
}

impl Subscriber {
    /// A subscriber whose messages go to `dispatcher`.
    pub(crate) fn new(
        services: Arc<Services>,
        subscriptions: Subscriptions,
        dispatcher: Dispatcher,
        presence: Presence,
    ) -> Self {
        Self { services, subscriptions, dispatcher, presence }
    }

    /// Keeps the subscriptions until `stop` is cancelled, then ends them. The logs are repaired before each
    /// subscription, so before Redis sees this daemon.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        match this.services.commands.connector().cluster() {
            Some(cluster) => masters::keep_all(&this, cluster, &stop).await,
            None => this.keep(Share::whole(), &stop).await,
        }
        let Services { commands, prefix, daemon, .. } = &*this.services;
        if let Err(error) = heartbeats::forget(commands, prefix, daemon).await {
            tracing::debug!(%error, "the last heartbeat stays until it is old");
        }
    }

    /// Keeps those of one master, until `stop` is cancelled or it has no partition any more.
    pub(super) async fn keep(&self, mut share: Share, stop: &CancellationToken) {
        let mut redis = Backoff::new("Redis (subscriptions)");
        let mut predecessors = Predecessors::default();
        while !stop.is_cancelled() {
            let partitions = share.partitions();
            if partitions.is_empty() {
                return;
            }
            let hold = tokio::select! {
                hold = self.subscriptions.hold(partitions) => hold,
                () = share.moved(partitions) => continue,
                () = stop.cancelled() => return,
            };
            let master = share.master().cloned();
            let ended = tokio::select! {
                ended = self.subscribe(master.as_ref(), &hold, &mut predecessors, &mut redis, stop) => ended,
                // What is elsewhere now is subscribed to there.
                () = share.moved(partitions) => Ok(()),
                () = async { stop.cancelled().await; tokio::time::sleep(UNSUBSCRIBE_TIMEOUT).await } => return,
            };
            let is_gap = hold.set_down();
            drop(hold);
            if stop.is_cancelled() {
                return;
            }
            if is_gap {
                metrics::GAPS.inc();
            }
            if let Err(error) = ended {
                tokio::select! {
                    biased;
                    () = share.moved(partitions) => {}
                    () = redis.failed(&error) => {}
                }
            }
        }
    }

    /// One epoch: from connecting to the end of the connection, or of the daemon.
    async fn subscribe(
        &self,
        master: Option<&Endpoint>,
        hold: &Hold,
        predecessors: &mut Predecessors,
        redis: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), AgreementError> {
        let partitions = hold.partitions();
        let connector = self.services.commands.connector();
        // The barrier of a replay must come from the server that the subscription is on, so no connection may
        // be older than it.
        if predecessors.exist() {
            connector.distrust(master);
        }
        installation::agree(&self.services, installation::STORE_TIMEOUT).await?;
        log_repair::repair(&self.services, partitions).await?;
        let leaving = Leaving::default();
        let lost = Arc::new(Notify::new());
        let mut connection =
            connect(connector, master, self.dispatcher.clone(), (lost.clone(), leaving.clone())).await?;
        let mut heartbeat = Heartbeat::of(self.services.clone(), partitions, &mut connection).await?;
        predecessors.add(heartbeat.client_id());
        let hub = self.subscriptions.hub();
        let mut news = self.subscriptions.watch_changes();
        send(&mut connection, "SSUBSCRIBE", &self.own_channels(partitions)).await?;
        // The epoch begins before the subscriptions for connections, so that whatever arrives over them finds sessions
        // that know of it and replay first. Their replays wait for the subscriptions below.
        hub.begin_epoch(partitions);
        let mut subscribed = HashSet::new();
        self.reconcile(&mut connection, &leaving, &mut subscribed, hub.topics(partitions)).await?;
        predecessors.end(&mut connection, &self.services.daemon, heartbeat.client_id()).await?;
        // Users have come and gone unannounced while there was no subscription, here and for the others.
        if partitions.iter().any(|partition| hub.epoch(partition) > 1) {
            connection.pipeline::<()>(&presence::announce_everyone(&self.services, partitions)).await?;
        }
        leaving.none_was_unasked()?;
        self.presence.missed(partitions);
        hold.set_up();
        redis.recovered();
        loop {
            if let Some(generation) = heartbeat.send_if_due(&mut connection).await? {
                self.restore_installation(generation).await?;
            }
            news.mark_unchanged();
            let changes = self.subscriptions.take_changes(partitions);
            if !changes.is_empty() {
                // The first and the last connection change what everybody is sent here, too.
                let shared = Some(Topic::Everyone).filter(|topic| partitions.contains(topic.partition()));
                let topics = changes.keys().cloned().chain(shared).collect();
                self.reconcile(&mut connection, &leaving, &mut subscribed, topics).await?;
                for (topic, waiting) in changes {
                    let epoch = hub.epoch(topic.partition());
                    for waiting in waiting {
                        // The session may have ended meanwhile.
                        let _ = waiting.send(epoch);
                    }
                }
                continue;
            }
            let mut watched = connection.clone();
            tokio::select! {
                // The sender lives as long as the subscriptions.
                _ = news.changed() => {}
                () = lost.notified() => return Err(BrokerError::new("subscription lost").into()),
                () = watched.distrusted() => return Err(BrokerError::new("another connection is lost").into()),
                () = sleep_until(heartbeat.next()) => {}
                // Queries published before Redis confirms this have arrived; later ones go to another daemon.
                () = stop.cancelled() => {
                    let channels: Vec<_> = self.query_channels(partitions).collect();
                    leaving.expect(&channels);
                    return Ok(send(&mut connection, "SUNSUBSCRIBE", &channels).await?);
                }
            }
        }
    }

    /// Writes the installation record again if Redis has lost its data, and raises its generation if every
    /// daemon reads a newer one. Only a record of another installation ends the subscriptions.
    async fn restore_installation(&self, generation: u32) -> Result<(), AgreementError> {
        // MySQL may be slow or away, and subscriptions must not wait for it.
        let services = self.services.clone();
        tokio::spawn(async move {
            if let Err(error) = installation::refresh(&services, installation::STORE_TIMEOUT).await {
                tracing::debug!(%error, "cannot read the installation now");
            }
        });
        match installation::compare(&self.services, generation).await {
            Err(error) if error.is_final() => Err(error),
            Err(error) => {
                tracing::debug!(%error, "cannot compare the installation record now");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// The channel of a topic.
    fn channel(&self, topic: &Topic) -> String {
        let prefix = &self.services.prefix;
        match topic {
            Topic::User(user) => prefix.user_channel(user),
            Topic::Room(room) => prefix.room_channel(room),
            Topic::Everyone => prefix.everyone_channel(),
            Topic::Presence(partition) => prefix.presence_channel(*partition),
        }
    }

    /// The channels of these partitions that this daemon is subscribed to while it runs.
    fn own_channels(&self, partitions: Partitions) -> Vec<String> {
        let Services { prefix, daemon, .. } = &*self.services;
        let mut channels = Vec::new();
        if partitions.contains(Partition::FIRST) {
            channels.push(prefix.daemon_channel(daemon));
        }
        channels.extend(partitions.iter().map(|partition| prefix.daemons_channel(partition)));
        channels.extend(self.query_channels(partitions));
        channels
    }

    /// The channels of queries to this daemon.
    fn query_channels(&self, partitions: Partitions) -> impl Iterator<Item = String> {
        let Services { prefix, daemon, .. } = &*self.services;
        partitions.iter().map(|partition| prefix.query_channel(partition, daemon))
    }

    /// Subscribes to those of the topics that the hub wants, and unsubscribes from the others.
    async fn reconcile(
        &self,
        connection: &mut Connection,
        leaving: &Leaving,
        subscribed: &mut HashSet<Topic>,
        topics: Vec<Topic>,
    ) -> Result<(), BrokerError> {
        let hub = self.subscriptions.hub();
        let (wanted, unwanted): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| hub.wants(topic));
        let joined: Vec<_> = wanted.into_iter().filter(|topic| subscribed.insert(topic.clone())).collect();
        let left: Vec<_> = unwanted.into_iter().filter(|topic| subscribed.remove(topic)).collect();
        let channels: Vec<_> = left.iter().map(|topic| self.channel(topic)).collect();
        leaving.expect(&channels);
        for (command, topics) in [("SSUBSCRIBE", joined), ("SUNSUBSCRIBE", left)] {
            for topics in topics.chunks(PIPELINE_TOPICS) {
                self.change(connection, command, topics).await?;
            }
        }
        // If one was, these answers may be those to other commands.
        leaving.none_was_unasked()
    }

    /// Subscribes to topics or unsubscribes from them, and announces the users among them.
    async fn change(
        &self,
        connection: &mut Connection,
        command: &str,
        topics: &[Topic],
    ) -> Result<(), BrokerError> {
        let channels: Vec<_> = topics.iter().map(|topic| self.channel(topic)).collect();
        let mut pipeline = commands(command, &channels);
        let users = topics.iter().filter_map(|topic| match topic {
            Topic::User(user) => Some(user.clone()),
            _ => None,
        });
        presence::announce(&mut pipeline, &self.services, &users.collect::<Vec<_>>());
        connection.pipeline(&pipeline).await
    }
}

/// Opens a RESP3 connection, on which pushed messages and replies share one socket.
async fn connect(
    connector: &Connector,
    master: Option<&Endpoint>,
    dispatcher: Dispatcher,
    (lost, leaving): (Arc<Notify>, Leaving),
) -> Result<Connection, BrokerError> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(COMMAND_TIMEOUT)).set_push_sender(
        move |push: PushInfo| {
            match push.kind {
                PushKind::Disconnection => lost.notify_one(),
                PushKind::SUnsubscribe => {
                    if leaving.left(&push) == Left::Unasked {
                        lost.notify_one();
                    }
                }
                _ => dispatcher.push(push),
            }
            Ok::<(), std::convert::Infallible>(())
        },
    );
    connector.open_to(master, ProtocolVersion::RESP3, config).await
}

/// Sends one command for each channel, in one write. Redis replies to each channel separately, and a command
/// with one channel stays in one slot of a Redis Cluster.
async fn send(connection: &mut Connection, command: &str, channels: &[String]) -> Result<(), BrokerError> {
    connection.pipeline(&commands(command, channels)).await
}

fn commands(command: &str, channels: &[String]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for channel in channels {
        pipeline.cmd(command).arg(channel).ignore();
    }
    pipeline
}
