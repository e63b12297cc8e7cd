//! The connection for commands that are answered at once. It is opened when it is first needed, and again
//! after it broke.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Pipeline, ScriptInvocation};
use tokio::sync::Mutex;

use super::{BrokerError, COMMAND_TIMEOUT, scripts};

/// A handle on the connection for commands. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Commands(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    /// An asynchronous lock, because it is held while connecting: one caller connects, and the others wait
    /// for that connection.
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Commands {
    /// A handle. The connection is not opened yet.
    pub(crate) fn new(client: Client) -> Self {
        Self(Arc::new(Shared { client, open: Mutex::new(None) }))
    }

    /// The client, for callers that open their own connection.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// Sends a pipeline in one write and reads all its answers.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached in time or answers a command with an error. Commands that were sent may
    /// have been executed.
    pub(crate) async fn send<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, BrokerError> {
        let mut connection = self.connection().await?;
        let answer = pipeline.query_async(&mut connection).await.map_err(BrokerError::from);
        self.drop_if_broken(answer).await
    }

    /// Calls a script by its digest, and loads it first if Redis does not know it.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, BrokerError> {
        let mut connection = self.connection().await?;
        let answer = scripts::invoke(script, &mut connection).await;
        self.drop_if_broken(answer).await
    }

    /// Drops the connection if it is broken.
    async fn drop_if_broken<T>(&self, answer: Result<T, BrokerError>) -> Result<T, BrokerError> {
        if answer.as_ref().is_err_and(BrokerError::is_broken) {
            *self.0.open.lock().await = None;
        }
        answer
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), BrokerError> {
        self.send(redis::pipe().cmd("PING").ignore()).await
    }

    async fn connection(&self) -> Result<MultiplexedConnection, BrokerError> {
        let mut open = self.0.open.lock().await;
        if let Some(connection) = open.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(COMMAND_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT));
        let connection = self.0.client.get_multiplexed_async_connection_with_config(&config).await?;
        *open = Some(connection.clone());
        Ok(connection)
    }
}
