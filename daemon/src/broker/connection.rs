//! Connections to Redis, and whether they can still be trusted to lead to the master.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatpush_wire::address::{Address, Endpoint, Location};
use chatpush_wire::partition::Partition;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, ProtocolVersion, ScriptInvocation,
};
use redis::{RedisError, RedisResult, Value};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::cluster::nodes::Cluster;
use super::{BrokerError, COMMAND_TIMEOUT, sentinels, server};

/// For now nobody has the first partition.
const NO_MASTER: BrokerError = BrokerError::new("no node of the Redis Cluster has the first partition");

/// How often Sentinels are asked whether the master is still the same.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);

/// Opens connections to Redis. Cloning is shallow.
///
/// Behind one address there may be another server from one moment to the next: a load balancer or a name that
/// follows the master, or Sentinels. The connections that were opened before then still lead to the old master,
/// which lives on as a replica. Some commands never fail there, for instance a blocking `XREAD` or a
/// subscription. So what one connection notices concerns all that are as old: they are replaced together.
///
/// In a cluster that is so for each master.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    address: Arc<Address>,
    /// Those that lead to the only master.
    generation: Generation,
    /// Those to each node of a cluster.
    of_nodes: Arc<Mutex<BTreeMap<Endpoint, Generation>>>,
    /// The master that Sentinels have named last.
    master: Arc<Mutex<Option<Endpoint>>>,
    /// If it is a cluster.
    cluster: Option<Cluster>,
}

/// The generation of the connections that are opened now. Older ones are not trusted.
type Generation = Arc<watch::Sender<u64>>;

impl Connector {
    /// A connector to the server at `address`. Nothing is connected yet.
    pub(crate) fn new(address: Address) -> Self {
        let address = Arc::new(address);
        let cluster = match &address.location {
            Location::Cluster(nodes) => Some(Cluster::new(address.clone(), (**nodes).clone())),
            Location::Server(_) | Location::Sentinel(_) => None,
        };
        Self {
            address,
            generation: Arc::default(),
            of_nodes: Arc::default(),
            master: Arc::default(),
            cluster,
        }
    }

    /// The cluster, if it is one.
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Opens a connection to the master; in a cluster, to that of the first partition.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached within [`COMMAND_TIMEOUT`], refuses the account, or is a replica.
    pub(crate) async fn open(&self, config: AsyncConnectionConfig) -> Result<Connection, BrokerError> {
        let master = self.master().await?;
        self.connect(master, self.generation.clone(), ProtocolVersion::RESP2, config).await
    }

    /// As [`Connector::open`], to the master that is named, or without a name to the only one. With RESP3 published
    /// messages and answers share a connection.
    pub(crate) async fn open_to(
        &self,
        node: Option<&Endpoint>,
        protocol: ProtocolVersion,
        config: AsyncConnectionConfig,
    ) -> Result<Connection, BrokerError> {
        let generation = self.generation_of(node);
        let node = match node {
            Some(node) => node.clone(),
            None => self.master().await?,
        };
        self.connect(node, generation, protocol, config).await
    }

    /// A client of the node that is named, of a cluster, or without a name of the only master. Its connections are not
    /// watched.
    ///
    /// # Errors
    ///
    /// When no Sentinel says which server that is.
    pub(crate) async fn client(
        &self,
        node: Option<&Endpoint>,
        protocol: ProtocolVersion,
    ) -> Result<Client, BrokerError> {
        let server = match node {
            Some(node) => node.clone(),
            None => self.master().await?,
        };
        server::client(server, &self.address, protocol)
    }

    /// Asks Sentinels, or the nodes of a cluster, now and then whether the master is still the same, for ever. An old
    /// master that is cut off from them answers on, and takes what will be lost. With one server this returns at once.
    pub(crate) async fn follow_master(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.follow().await;
        }
        while let Location::Sentinel(sentinels) = &self.address.location {
            sleep(FOLLOW_INTERVAL).await;
            match sentinels::master(sentinels, &self.address).await {
                Ok((master, true)) => self.set_master(&master),
                // A few that differ, or none that answer, do not end what works.
                Ok((_, false)) => {}
                Err(error) => tracing::debug!(%error, "no Sentinel says which server is the master"),
            }
        }
    }

    /// The server that is the master now.
    async fn master(&self) -> Result<Endpoint, BrokerError> {
        match &self.address.location {
            Location::Server(endpoint) => Ok(endpoint.clone()),
            Location::Sentinel(sentinels) => {
                let (master, _) = sentinels::master(sentinels, &self.address).await?;
                self.set_master(&master);
                Ok(master)
            }
            Location::Cluster(_) => {
                let Some(cluster) = &self.cluster else { return Err(NO_MASTER) };
                cluster.topology().await?.master_of(Partition::FIRST).cloned().ok_or(NO_MASTER)
            }
        }
    }

    /// The generation of the connections to the node that is named, or without a name to the only master.
    fn generation_of(&self, node: Option<&Endpoint>) -> Generation {
        let Some(node) = node else { return self.generation.clone() };
        self.of_nodes.lock().unwrap_or_else(PoisonError::into_inner).entry(node.clone()).or_default().clone()
    }

    /// Trusts no connection to another server than this.
    fn set_master(&self, master: &Endpoint) {
        let last = self.master.lock().unwrap_or_else(PoisonError::into_inner).replace(master.clone());
        if last.is_some_and(|last| last != *master) {
            tracing::warn!(%master, "the Sentinels name another master");
            self.distrust(None);
        }
    }

    /// Trusts none of the connections that are open now to the master that is named, or without a name to the only one.
    /// Each is replaced when it is next used, and those that wait for an answer stop waiting.
    pub(crate) fn distrust(&self, node: Option<&Endpoint>) {
        self.generation_of(node).send_modify(|generation| *generation += 1);
    }

    async fn connect(
        &self,
        node: Endpoint,
        current: Generation,
        protocol: ProtocolVersion,
        config: AsyncConnectionConfig,
    ) -> Result<Connection, BrokerError> {
        let client = server::client(node, &self.address, protocol)?;
        let generation = current.subscribe();
        let config = config.set_connection_timeout(Some(COMMAND_TIMEOUT));
        // What is noticed while connecting concerns this connection too.
        let own = *generation.borrow();
        let open = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut connection =
            Connection { open, generation, own, current, broken: Arc::new(AtomicBool::new(false)) };
        connection.check_role().await?;
        Ok(connection)
    }
}

/// A connection to Redis. Clones share it; each may wait for answers of its own.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    open: MultiplexedConnection,
    generation: watch::Receiver<u64>,
    own: u64,
    /// That of connections which are opened now.
    current: Generation,
    /// Shared by the clones.
    broken: Arc<AtomicBool>,
}

impl Connection {
    /// Whether the connection may be used.
    pub(crate) fn is_trusted(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && *self.generation.borrow() == self.own
    }

    /// Returns once the connection is not trusted any more because of what another one has noticed.
    pub(crate) async fn distrusted(&mut self) {
        let own = self.own;
        // The sender lives as long as the connector.
        let _ = self.generation.wait_for(|generation| *generation != own).await;
    }

    /// Sends one command.
    ///
    /// # Errors
    ///
    /// When the connection fails, or is not trusted any more, or Redis answers with an error.
    pub(crate) async fn command<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, BrokerError> {
        let mut open = self.open.clone();
        self.watched(command.query_async(&mut open)).await
    }

    /// Sends a pipeline in one write and reads all its answers.
    ///
    /// # Errors
    ///
    /// As [`Connection::command`]. The other commands of the pipeline have been executed nevertheless.
    pub(crate) async fn pipeline<T: FromRedisValue>(
        &mut self,
        pipeline: &Pipeline,
    ) -> Result<T, BrokerError> {
        let mut open = self.open.clone();
        self.watched(pipeline.query_async(&mut open)).await
    }

    /// Sends a pipeline and returns each answer as it is, errors too.
    pub(super) async fn values(&mut self, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut open = self.open.clone();
        let answers = tokio::select! {
            biased;
            answers = open.req_packed_commands(pipeline, 0, pipeline.len()) => answers,
            () = self.distrusted() => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
        };
        if let Err(error) = &answers {
            self.note(error.clone().into());
        }
        for answer in answers.iter().flatten() {
            if let Value::ServerError(error) = answer {
                self.note(RedisError::from(error.clone()).into());
            }
        }
        answers
    }

    /// Calls a script by its digest, and loads it first if Redis does not know it. One deadline bounds all of
    /// it.
    ///
    /// # Errors
    ///
    /// As [`Connection::command`].
    pub(crate) async fn invoke<T: FromRedisValue>(
        &mut self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BrokerError> {
        let mut open = self.open.clone();
        self.watched(async {
            let timed_out = || RedisResult::Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
            timeout(COMMAND_TIMEOUT, script.invoke_async(&mut open)).await.unwrap_or_else(|_| timed_out())
        })
        .await
    }

    /// Draws the conclusions from an error that came on this connection.
    pub(crate) fn note(&self, error: BrokerError) -> BrokerError {
        if error.is_broken() {
            self.broken.store(true, Ordering::Relaxed);
        }
        if error.concerns_all() {
            // Unless they have been replaced already.
            self.current.send_if_modified(|generation| {
                let current = *generation == self.own;
                *generation += u64::from(current);
                current
            });
        }
        error
    }

    async fn watched<T>(&mut self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, BrokerError> {
        let answer = tokio::select! {
            biased;
            answer = answer => answer.map_err(BrokerError::from),
            () = self.distrusted() => Err(BrokerError::new("another connection to Redis found it gone")),
        };
        answer.map_err(|error| self.note(error))
    }

    /// A replica accepts connections, reads and subscriptions as a master does. HELLO without arguments says
    /// which it is (Redis manual, "HELLO").
    async fn check_role(&mut self) -> Result<(), BrokerError> {
        let answer: Value = match self.command(&redis::cmd("HELLO")).await {
            Ok(answer) => answer,
            Err(error) if error.is_broken() => return Err(error),
            // A proxy or an access list that does not know HELLO. A replica then shows with the first write.
            Err(_) => return Ok(()),
        };
        if role(&answer).is_some_and(|role| role == b"replica" || role == b"slave") {
            let error = BrokerError::new("Redis is a replica here, and only a master takes messages");
            return Err(self.note(error));
        }
        Ok(())
    }
}

/// The role in an answer to HELLO: a map in RESP3, names and values in turn in RESP2.
fn role(answer: &Value) -> Option<&[u8]> {
    let text = |value: &'static str| move |name: &Value| matches!(name, Value::BulkString(name) if name == value.as_bytes());
    let value = match answer {
        Value::Map(pairs) => pairs.iter().find(|(name, _)| text("role")(name)).map(|(_, value)| value),
        Value::Array(items) => items.iter().skip_while(|item| !text("role")(item)).nth(1),
        _ => None,
    };
    match value {
        Some(Value::BulkString(role)) => Some(role),
        _ => None,
    }
}
