//! The connection that holds the subscriptions. It is opened again whenever it breaks; each time is a new
//! epoch, in which every session replays, since pushes may have been missed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::partition::Partition;
use redis::{AsyncConnectionConfig, Pipeline, PushInfo, PushKind};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::base::metrics;
use crate::broker::{BrokerError, COMMAND_TIMEOUT, Connection, Connector, heartbeats};
use crate::fanout::dispatch::Dispatcher;
use crate::fanout::heartbeat::Heartbeat;
use crate::fanout::log_repair;
use crate::fanout::presence::{self, Presence};
use crate::fanout::subscriber_clients::Predecessors;
use crate::fanout::subscriptions::Subscriptions;
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
        let mut redis = Backoff::new("Redis (subscriptions)");
        let mut predecessors = Predecessors::default();
        while !stop.is_cancelled() {
            let ended = tokio::select! {
                ended = self.subscribe(&mut predecessors, &mut redis, &stop) => ended,
                () = async { stop.cancelled().await; tokio::time::sleep(UNSUBSCRIBE_TIMEOUT).await } => break,
            };
            if self.subscriptions.set_up(false) && !stop.is_cancelled() {
                metrics::GAPS.inc();
            }
            if let Err(error) = ended
                && !stop.is_cancelled()
            {
                redis.failed(&error).await;
            }
        }
        self.subscriptions.set_up(false);
        let Services { commands, prefix, daemon, .. } = &*self.services;
        if let Err(error) = heartbeats::forget(commands, prefix, daemon).await {
            tracing::debug!(%error, "the last heartbeat stays until it is old");
        }
    }

    /// One epoch: from connecting to the end of the connection, or of the daemon.
    async fn subscribe(
        &self,
        predecessors: &mut Predecessors,
        redis: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), AgreementError> {
        let connector = self.services.commands.connector();
        // The barrier of a replay must come from the server that the subscription is on, so no connection may
        // be older than it.
        if predecessors.exist() {
            connector.distrust_all();
        }
        installation::agree(&self.services, installation::STORE_TIMEOUT).await?;
        log_repair::repair(&self.services).await?;
        let lost = Arc::new(Notify::new());
        let mut connection = connect(connector, self.dispatcher.clone(), lost.clone()).await?;
        let mut heartbeat = Heartbeat::of(self.services.clone(), &mut connection).await?;
        predecessors.add(heartbeat.client_id());
        let hub = self.subscriptions.hub();
        send(&mut connection, "SSUBSCRIBE", &self.own_channels()).await?;
        // The epoch begins before the subscriptions for connections, so that whatever arrives over them finds sessions
        // that know of it and replay first. Their replays wait for the subscriptions below.
        hub.begin_epoch();
        let mut subscribed = HashSet::new();
        self.reconcile(&mut connection, &mut subscribed, hub.topics()).await?;
        predecessors.end(&mut connection, &self.services.daemon, heartbeat.client_id()).await?;
        // Users have come and gone unannounced while there was no subscription, here and for the others.
        if hub.epoch() > 1 {
            connection.pipeline::<()>(&presence::announce_everyone(&self.services)).await?;
        }
        self.presence.missed();
        self.subscriptions.set_up(true);
        redis.recovered();
        loop {
            if let Some(generation) = heartbeat.send_if_due(&mut connection).await? {
                self.restore_installation(generation).await?;
            }
            let changes = self.subscriptions.take_changes();
            if !changes.is_empty() {
                // The first and the last connection change what everybody is sent here, too.
                let topics = changes.keys().cloned().chain([Topic::Everyone]).collect();
                self.reconcile(&mut connection, &mut subscribed, topics).await?;
                let epoch = hub.epoch();
                for waiting in changes.into_values().flatten() {
                    // The session may have ended meanwhile.
                    let _ = waiting.send(epoch);
                }
                continue;
            }
            let mut watched = connection.clone();
            tokio::select! {
                () = self.subscriptions.changed() => {}
                () = lost.notified() => return Err(BrokerError::new("subscription lost").into()),
                () = watched.distrusted() => return Err(BrokerError::new("another connection is lost").into()),
                () = sleep_until(heartbeat.next()) => {}
                // Queries published before Redis confirms this have arrived; later ones go to another daemon.
                () = stop.cancelled() => {
                    let channels: Vec<_> = self.query_channels().collect();
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

    /// The channels of a topic.
    fn channels(&self, topic: &Topic) -> Vec<String> {
        let prefix = &self.services.prefix;
        match topic {
            Topic::User(user) => vec![prefix.user_channel(user)],
            Topic::Room(room) => vec![prefix.room_channel(room)],
            Topic::Everyone => vec![prefix.everyone_channel()],
            Topic::Presence => Partition::all().map(|partition| prefix.presence_channel(partition)).collect(),
        }
    }

    /// The channels that this daemon is subscribed to while it runs.
    fn own_channels(&self) -> Vec<String> {
        let Services { prefix, daemon, .. } = &*self.services;
        let mut channels = vec![prefix.daemon_channel(daemon)];
        channels.extend(Partition::all().map(|partition| prefix.daemons_channel(partition)));
        channels.extend(self.query_channels());
        channels
    }

    /// The channels of queries to this daemon.
    fn query_channels(&self) -> impl Iterator<Item = String> {
        let Services { prefix, daemon, .. } = &*self.services;
        Partition::all().map(|partition| prefix.query_channel(partition, daemon))
    }

    /// Subscribes to those of the topics that the hub wants, and unsubscribes from the others.
    async fn reconcile(
        &self,
        connection: &mut Connection,
        subscribed: &mut HashSet<Topic>,
        topics: Vec<Topic>,
    ) -> Result<(), BrokerError> {
        let hub = self.subscriptions.hub();
        let (wanted, unwanted): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| hub.wants(topic));
        let joined: Vec<_> = wanted.into_iter().filter(|topic| subscribed.insert(topic.clone())).collect();
        let left: Vec<_> = unwanted.into_iter().filter(|topic| subscribed.remove(topic)).collect();
        for (command, topics) in [("SSUBSCRIBE", joined), ("SUNSUBSCRIBE", left)] {
            for topics in topics.chunks(PIPELINE_TOPICS) {
                self.change(connection, command, topics).await?;
            }
        }
        Ok(())
    }

    /// Subscribes to topics or unsubscribes from them, and announces the users among them.
    async fn change(
        &self,
        connection: &mut Connection,
        command: &str,
        topics: &[Topic],
    ) -> Result<(), BrokerError> {
        let channels: Vec<_> = topics.iter().flat_map(|topic| self.channels(topic)).collect();
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
    dispatcher: Dispatcher,
    lost: Arc<Notify>,
) -> Result<Connection, BrokerError> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(COMMAND_TIMEOUT)).set_push_sender(
        move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                lost.notify_one();
            } else {
                dispatcher.push(push);
            }
            Ok::<(), std::convert::Infallible>(())
        },
    );
    connector.open_resp3(config).await
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
