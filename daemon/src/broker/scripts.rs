//! The daemon's Lua scripts. They are called by digest; after a Redis that does not know the digest, for
//! instance because it was restarted, the client library loads the script and calls it again.

use std::sync::LazyLock;

use chatpush_wire::lua;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::timeout;

use super::{BrokerError, COMMAND_TIMEOUT};

/// Takes the writer's lease if it is free, or if its holder is not connected to Redis any more.
pub(crate) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::ACQUIRE.source()));

/// Renews the writer's lease if it is still held.
pub(crate) static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RENEW.source()));

/// Releases the writer's lease if it is still held.
pub(crate) static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RELEASE.source()));

/// Puts a dead letter back into the log, once.
pub(crate) static REQUEUE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::REQUEUE.source()));

/// Records this daemon's heartbeat and finds daemons without one.
pub(crate) static HEARTBEAT: LazyLock<Script> = LazyLock::new(|| Script::new(lua::HEARTBEAT.source()));

/// Calls a script by its digest, and loads it first if Redis does not know it. The deadline bounds all of it.
pub(crate) async fn invoke<T: FromRedisValue>(
    script: &ScriptInvocation<'_>,
    connection: &mut MultiplexedConnection,
) -> Result<T, BrokerError> {
    match timeout(COMMAND_TIMEOUT, script.invoke_async(connection)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(BrokerError::new("no answer in time")),
    }
}
