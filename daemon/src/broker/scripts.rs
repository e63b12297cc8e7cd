//! The daemon's Lua scripts. They are called by digest; after a Redis that does not know the digest, for
//! instance because it was restarted, the client library loads the script and calls it again.

use std::sync::LazyLock;

use chatpush_wire::lua;
use redis::Script;

/// Takes the writer's lease if it is free, or if its holder is not connected to Redis any more.
pub(crate) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::ACQUIRE.source()));

/// Renews the writer's lease if it is still held.
pub(crate) static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RENEW.source()));

/// Releases the writer's lease if it is still held.
pub(crate) static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RELEASE.source()));

/// Puts a dead letter back into the log, once.
pub(crate) static REQUEUE: LazyLock<Script> = LazyLock::new(|| Script::new(lua::REQUEUE.source()));

/// Reads whose mailboxes the entries of a log change.
pub(crate) static RECEIVERS: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RECEIVERS.source()));

/// How much is in a log, and since when something waits.
pub(crate) static BACKLOG: LazyLock<Script> = LazyLock::new(|| Script::new(lua::BACKLOG.source()));

/// Records this daemon's heartbeat and finds daemons without one.
pub(crate) static HEARTBEAT: LazyLock<Script> = LazyLock::new(|| Script::new(lua::HEARTBEAT.source()));

/// Makes the next id of a log follow a position.
pub(crate) static REPAIR: LazyLock<Script> = LazyLock::new(|| Script::new(lua::REPAIR.source()));

/// Writes the installation record, also to a Redis at `maxmemory`.
pub(crate) static INSTALL: LazyLock<Script> = LazyLock::new(|| Script::new(lua::INSTALL.source()));

/// Notes that users have connected.
pub(crate) static RETURNED: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RETURNED.source()));

/// Forgets what was noted of users, unless they have connected again.
pub(crate) static RECORDED: LazyLock<Script> = LazyLock::new(|| Script::new(lua::RECORDED.source()));

/// Appends an entry of a client to the log of a Redis at `maxmemory`.
pub(crate) static ACK: LazyLock<Script> = LazyLock::new(|| Script::new(lua::ACK.source()));
