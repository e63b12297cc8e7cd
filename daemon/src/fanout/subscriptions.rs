//! Subscriptions: this daemon is subscribed to a user's channel exactly while it holds a connection of that user,
//! and to the daemons' channels while it runs. Redis counts subscribers, so nobody keeps a second truth.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::lua;
use chatpush_wire::partition::Partition;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::backoff::Backoff;
use crate::base::metrics;
use crate::broker::{BrokerError, DEADLINE};
use crate::fanout::dispatch::Dispatcher;
use crate::fanout::log_repair::LogRepair;
use crate::hub::{Epoch, Hub};

/// How often this daemon tells that it serves its subscriptions, and asks who does not.
const BEAT: Duration = Duration::from_secs(3);

/// A daemon that has told nothing for so long hangs. Its subscriptions are ended by a peer, so that its users
/// do not count as present; it makes them again when it wakes up.
const SILENCE: Duration = Duration::from_secs(9);

/// How long it may take to give up the channels of queries when the daemon stops.
const LEAVE: Duration = Duration::from_millis(500);

/// Most channels in one pipeline.
const CHANNELS: usize = 256;

/// A handle on the subscriptions. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Subscriptions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    prefix: Prefix,
    /// This daemon's name.
    daemon: String,
    /// Users whose connections came or went, and who waits until the subscription agrees. At most one entry
    /// a user, so it is bounded by the connections. A plain mutex: nothing awaits while holding it.
    changed: Mutex<HashMap<UserId, Vec<oneshot::Sender<Epoch>>>>,
    notify: Notify,
    /// Whether Redis knows of the subscriptions now.
    up: watch::Sender<bool>,
}

impl Subscriptions {
    /// Nobody is subscribed yet; [`Subscriptions::run`] does it.
    pub fn new(hub: Arc<Hub>, prefix: Prefix, daemon: String) -> Self {
        Self(Arc::new(Shared {
            hub,
            prefix,
            daemon,
            changed: Mutex::default(),
            notify: Notify::new(),
            up: watch::Sender::new(false),
        }))
    }

    /// Returns once Redis counts this daemon as holding `user`, whose connection must be in the hub: from
    /// then on every push reaches the hub. Waits while Redis is away.
    pub async fn subscribed(&self, user: UserId) -> Epoch {
        loop {
            let (tell, told) = oneshot::channel();
            self.note(user, Some(tell));
            if let Ok(epoch) = told.await {
                return epoch;
            }
        }
    }

    /// A connection of `user` has left the hub.
    pub fn left(&self, user: UserId) {
        self.note(user, None);
    }

    /// Whether Redis knows of the subscriptions now.
    pub fn is_up(&self) -> bool {
        *self.0.up.borrow()
    }

    /// The same, to be watched.
    pub fn ups(&self) -> watch::Receiver<bool> {
        self.0.up.subscribe()
    }

    /// Keeps the subscriptions until told to stop; they are given up then. Before Redis is told that this
    /// daemon lives, the logs are repaired.
    pub async fn run(
        self,
        client: Client,
        repair: LogRepair,
        dispatcher: Dispatcher,
        stop: CancellationToken,
    ) {
        let mut redis = Backoff::new("Redis (subscriptions)");
        while !stop.is_cancelled() {
            let ended = tokio::select! {
                ended = self.hold(&client, &repair, &dispatcher, &mut redis, &stop) => ended,
                () = async { stop.cancelled().await; tokio::time::sleep(LEAVE).await } => break,
            };
            if self.0.up.send_replace(false) && !stop.is_cancelled() {
                metrics::GAPS.add(1);
            }
            if let Err(error) = ended
                && !stop.is_cancelled()
            {
                redis.failed(&error).await;
            }
        }
        self.0.up.send_replace(false);
    }

    async fn hold(
        &self,
        client: &Client,
        repair: &LogRepair,
        dispatcher: &Dispatcher,
        redis: &mut Backoff,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        repair.logs().await?;
        let lost = Arc::new(Notify::new());
        let mut connection = connect(client, dispatcher.clone(), lost.clone()).await?;
        let client_id = self.introduce(&mut connection).await?;
        let mut subscribed = HashSet::new();
        let mut channels = vec![self.0.prefix.daemon_channel(&self.0.daemon)];
        channels.extend(Partition::all().map(|partition| self.0.prefix.daemons_channel(partition)));
        channels.extend(self.queries());
        send(&mut connection, "SSUBSCRIBE", &channels).await?;
        // The epoch comes before the users' subscriptions: whatever arrives over them finds sessions that know
        // of it and let the rows that were missed go first. Their flush waits for the subscription below.
        self.0.hub.begin_epoch();
        self.reconcile(&mut connection, &mut subscribed, self.0.hub.users()).await?;
        self.0.up.send_replace(true);
        redis.recovered();
        let mut next_beat = Instant::now();
        loop {
            if Instant::now() >= next_beat {
                self.beat(&mut connection, client_id).await?;
                next_beat = Instant::now() + BEAT;
            }
            let noted = self.take();
            if !noted.is_empty() {
                self.reconcile(&mut connection, &mut subscribed, noted.keys().copied().collect()).await?;
                let epoch = self.0.hub.epoch();
                for tell in noted.into_values().flatten() {
                    // Who asked may have gone.
                    let _ = tell.send(epoch);
                }
                continue;
            }
            tokio::select! {
                () = self.0.notify.notified() => {}
                () = lost.notified() => return Err(BrokerError::new("subscription lost")),
                () = tokio::time::sleep_until(next_beat) => {}
                // Once Redis has confirmed this, what was asked before has arrived, and the rest is asked elsewhere.
                () = stop.cancelled() => {
                    return send(&mut connection, "SUNSUBSCRIBE", &self.queries().collect::<Vec<_>>()).await;
                }
            }
        }
    }

    /// The channels of queries to this daemon.
    fn queries(&self) -> impl Iterator<Item = String> {
        Partition::all().map(|partition| self.0.prefix.query_channel(partition, &self.0.daemon))
    }

    /// Names the connection, by which a peer knows it again, and asks for its number.
    async fn introduce(&self, connection: &mut MultiplexedConnection) -> Result<u64, BrokerError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLIENT").arg("SETNAME").arg(&self.0.daemon).ignore().cmd("CLIENT").arg("ID");
        let (id,): (u64,) = pipeline.query_async(connection).await?;
        Ok(id)
    }

    /// Tells that this daemon serves its subscriptions and ends those of daemons that hang.
    async fn beat(&self, connection: &mut MultiplexedConnection, client_id: u64) -> Result<(), BrokerError> {
        let mut command = redis::cmd("EVAL");
        command.arg(lua::HEARTBEAT.source()).arg(1).arg(self.0.prefix.heartbeats());
        command.arg(&self.0.daemon).arg(client_id).arg(SILENCE.as_millis());
        let silent: Vec<(String, String)> = command.query_async(connection).await?;
        for (daemon, client_id) in &silent {
            // A Redis that was started again gives the same numbers to others.
            let found: String =
                redis::cmd("CLIENT").arg("LIST").arg("ID").arg(client_id).query_async(connection).await?;
            if found.split(' ').any(|field| field.strip_prefix("name=") == Some(daemon)) {
                tracing::warn!(daemon, "a daemon hangs, its subscriptions are ended");
                redis::cmd("CLIENT").arg("KILL").arg("ID").arg(client_id).exec_async(connection).await?;
            }
        }
        Ok(())
    }

    /// Makes the subscriptions of these users agree with the hub.
    async fn reconcile(
        &self,
        connection: &mut MultiplexedConnection,
        subscribed: &mut HashSet<UserId>,
        users: Vec<UserId>,
    ) -> Result<(), BrokerError> {
        let (held, gone): (Vec<_>, Vec<_>) = users.into_iter().partition(|user| self.0.hub.has(*user));
        let channel = |user: &UserId| self.0.prefix.user_channel(*user);
        let join: Vec<_> = held.iter().filter(|user| subscribed.insert(**user)).map(channel).collect();
        let leave: Vec<_> = gone.iter().filter(|user| subscribed.remove(user)).map(channel).collect();
        for channels in join.chunks(CHANNELS) {
            send(connection, "SSUBSCRIBE", channels).await?;
        }
        for channels in leave.chunks(CHANNELS) {
            send(connection, "SUNSUBSCRIBE", channels).await?;
        }
        Ok(())
    }

    fn note(&self, user: UserId, tell: Option<oneshot::Sender<Epoch>>) {
        let mut changed = self.0.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.entry(user).or_default().extend(tell);
        drop(changed);
        self.0.notify.notify_one();
    }

    fn take(&self) -> HashMap<UserId, Vec<oneshot::Sender<Epoch>>> {
        std::mem::take(&mut *self.0.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A RESP3 connection: there, pushed messages and answers share one socket.
async fn connect(
    client: &Client,
    dispatcher: Dispatcher,
    lost: Arc<Notify>,
) -> Result<MultiplexedConnection, BrokerError> {
    let settings = client.get_connection_info().redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(client.get_connection_info().clone().set_redis_settings(settings))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE))
        .set_push_sender(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                lost.notify_one();
            } else {
                dispatcher.push(push);
            }
            Ok::<(), std::convert::Infallible>(())
        });
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Subscribes or unsubscribes. Redis answers each channel on its own, so the channels go as a pipeline of
/// one command each, in one write; a pipeline of one channel a command also keeps every command in one slot.
async fn send(
    connection: &mut MultiplexedConnection,
    command: &str,
    channels: &[String],
) -> Result<(), BrokerError> {
    let mut pipeline = redis::pipe();
    for channel in channels {
        pipeline.cmd(command).arg(channel).ignore();
    }
    Ok(pipeline.exec_async(connection).await?)
}
