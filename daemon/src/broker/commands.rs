//! The connection for commands that are answered at once. It is opened when it is first needed, and again
//! after it broke or is not trusted any more.

use std::sync::Arc;

use chatpush_wire::address::{Address, Endpoint};
use chatpush_wire::key::Prefix;
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, RedisResult, ScriptInvocation, Value};
use tokio::sync::Mutex;

use super::cluster::router::Router;
use super::connection::{Connection, Connector};
use super::{BrokerError, COMMAND_TIMEOUT};

/// A handle on the connection for commands. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Commands(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    /// An asynchronous lock, because it is held while connecting: one caller connects, and the others wait
    /// for that connection.
    open: Mutex<Open>,
    /// If Redis is a cluster: instead of that connection, one to each master.
    router: Option<Router>,
}

#[derive(Debug, Default)]
struct Open {
    connection: Option<Connection>,
    /// How many connections have been opened.
    number: ConnectionNumber,
}

/// Which connection answered. Answers with the same number are those of one Redis process (of one for each partition, in
/// a cluster), since a connection that is not trusted any more is replaced by one with another number.
pub(crate) type ConnectionNumber = u64;

impl Commands {
    /// A handle, for an installation with this prefix. The connection is not opened yet.
    pub(crate) fn new(address: Address, prefix: &Prefix) -> Self {
        let connector = Connector::new(address);
        let cluster = connector.cluster().cloned();
        let router = cluster.map(|cluster| Router::new(connector.clone(), cluster, prefix.clone()));
        Self(Arc::new(Shared { connector, open: Mutex::default(), router }))
    }

    /// The connector, for callers that open their own connection.
    pub(crate) fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// The router, if Redis is a cluster.
    pub(super) fn router(&self) -> Option<&Router> {
        self.0.router.as_ref()
    }

    /// Sends a pipeline in one write and reads all its answers.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached in time or answers a command with an error. Commands that were sent may
    /// have been executed.
    pub(crate) async fn send<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BrokerError> {
        if let Some(router) = &self.0.router {
            return Ok(pipeline.query_async(&mut router.clone()).await?);
        }
        self.connection().await?.0.pipeline(pipeline).await
    }

    /// Sends a pipeline, and returns the result of each command that is not ignored.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached in time. Commands that were sent may have been executed.
    pub(crate) async fn send_each<T: FromRedisValue>(
        &self,
        pipeline: &mut Pipeline,
    ) -> Result<Vec<Result<T, BrokerError>>, BrokerError> {
        if let Some(router) = &self.0.router {
            let results: Vec<RedisResult<T>> =
                pipeline.ignore_errors().query_async(&mut router.clone()).await?;
            return Ok(results.into_iter().map(|result| result.map_err(BrokerError::from)).collect());
        }
        let (mut connection, _) = self.connection().await?;
        let results: Vec<RedisResult<T>> = connection.pipeline(pipeline.ignore_errors()).await?;
        let noted = |error: redis::RedisError| connection.note(error.into());
        Ok(results.into_iter().map(|result| result.map_err(noted)).collect())
    }

    /// Sends a pipeline to the node that is named, of a cluster, or without a name to the only server. Returns each answer.
    ///
    /// # Errors
    ///
    /// When it cannot be reached in time, or answers one of the commands with an error.
    pub(crate) async fn ask(
        &self,
        node: Option<&Endpoint>,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, BrokerError> {
        match (&self.0.router, node) {
            (Some(router), Some(node)) => {
                let answers = router.ask(node, pipeline).await?.into_iter().map(Value::extract_error);
                Ok(answers.collect::<RedisResult<_>>()?)
            }
            _ => self.send(pipeline).await,
        }
    }

    /// Calls a script by its digest, and loads it first if Redis does not know it.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BrokerError> {
        if let Some(router) = &self.0.router {
            return Ok(script.invoke_async(&mut router.clone()).await?);
        }
        self.connection().await?.0.invoke(script).await
    }

    /// As [`Commands::invoke`], and says which connection answered.
    pub(crate) async fn invoke_numbered<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<(T, ConnectionNumber), BrokerError> {
        if let Some(router) = &self.0.router {
            let before = router.opened();
            let answer = script.invoke_async(&mut router.clone()).await?;
            // If a connection was opened meanwhile, it may be the one that answered: nothing else has this number.
            let number = if router.opened() == before { before } else { fastrand::u64(1 << 32..) };
            return Ok((answer, number));
        }
        let (mut connection, number) = self.connection().await?;
        Ok((connection.invoke(script).await?, number))
    }

    /// The number of the connection that is open now, or was last.
    pub(crate) async fn number(&self) -> ConnectionNumber {
        match &self.0.router {
            Some(router) => router.opened(),
            None => self.0.open.lock().await.number,
        }
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), BrokerError> {
        self.send(redis::pipe().cmd("PING").ignore()).await
    }

    async fn connection(&self) -> Result<(Connection, ConnectionNumber), BrokerError> {
        let mut open = self.0.open.lock().await;
        if let Some(connection) = open.connection.as_ref().filter(|connection| connection.is_trusted()) {
            return Ok((connection.clone(), open.number));
        }
        // The old one is closed first, so that a daemon never holds more than one.
        open.connection = None;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(COMMAND_TIMEOUT));
        let connection = self.0.connector.open(config).await?;
        open.number += 1;
        open.connection = Some(connection.clone());
        Ok((connection, open.number))
    }
}
