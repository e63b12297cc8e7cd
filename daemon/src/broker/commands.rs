//! The connection for commands that are answered at once. It is opened when it is first needed, and again
//! after it broke or is not trusted any more.

use std::sync::Arc;

use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisResult, ScriptInvocation};
use tokio::sync::Mutex;

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
    open: Mutex<Option<Connection>>,
}

impl Commands {
    /// A handle. The connection is not opened yet.
    pub(crate) fn new(client: Client) -> Self {
        Self(Arc::new(Shared { connector: Connector::new(client), open: Mutex::new(None) }))
    }

    /// The connector, for callers that open their own connection.
    pub(crate) fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// Sends a pipeline in one write and reads all its answers.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached in time or answers a command with an error. Commands that were sent may
    /// have been executed.
    pub(crate) async fn send<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BrokerError> {
        self.connection().await?.pipeline(pipeline).await
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
        let mut connection = self.connection().await?;
        let results: Vec<RedisResult<T>> = connection.pipeline(pipeline.ignore_errors()).await?;
        let noted = |error: redis::RedisError| connection.note(error.into());
        Ok(results.into_iter().map(|result| result.map_err(noted)).collect())
    }

    /// Calls a script by its digest, and loads it first if Redis does not know it.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BrokerError> {
        self.connection().await?.invoke(script).await
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), BrokerError> {
        self.send(redis::pipe().cmd("PING").ignore()).await
    }

    async fn connection(&self) -> Result<Connection, BrokerError> {
        let mut open = self.0.open.lock().await;
        if let Some(connection) = open.as_ref().filter(|connection| connection.is_trusted()) {
            return Ok(connection.clone());
        }
        // The old one is closed first, so that a daemon never holds more than one.
        *open = None;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(COMMAND_TIMEOUT));
        let connection = self.0.connector.open(config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }
}
