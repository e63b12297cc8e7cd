//! What most parts of the daemon use, built once by `run`.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use chatpush_wire::installation::Installation;
use chatpush_wire::key::Prefix;

use crate::base::last_error::LastError;
use crate::broker::Commands;
use crate::broker::clock::RedisClock;
use crate::broker::lease::Lease;
use crate::config::Config;
use crate::log::newly_unread::NewlyUnread;
use crate::log::position::Positions;
use crate::store::Store;

/// The shared services of one daemon. It is passed on as `Arc<Services>`.
#[derive(Debug)]
pub(crate) struct Services {
    /// The settings.
    pub(crate) config: Config,
    /// This daemon's name; no other daemon has the same.
    pub(crate) daemon: String,
    /// The start of every Redis name.
    pub(crate) prefix: Prefix,
    /// Redis.
    pub(crate) commands: Commands,
    /// MySQL; none if this installation stores nothing.
    pub(crate) store: Option<Store>,
    /// The installation record of the database, as it was read last.
    pub(crate) installation: Mutex<Option<Installation>>,
    /// The newest generation of log entries that may be written, as the record in Redis said last.
    pub(crate) generation: Arc<AtomicU32>,
    /// How far each partition's log is known to be applied to MySQL.
    pub(crate) positions: Arc<Positions>,
    /// Users with new unread messages whom this daemon, as the writer, has not noted yet.
    pub(crate) newly_unread: NewlyUnread,
    /// Redis's clock.
    pub(crate) redis_clock: RedisClock,
    /// Why this daemon, as the writer, cannot store now.
    pub(crate) writer_error: LastError,
    /// Which replicas of Redis this daemon, as the writer, waits for.
    pub(crate) replicas_error: LastError,
    /// Why the last webhook of this daemon was not accepted.
    pub(crate) webhook_error: LastError,
}

impl Services {
    /// The services for `config`. Nothing is connected yet.
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            daemon: daemon_name(),
            prefix: config.prefix.clone(),
            commands: Commands::new(config.redis.clone(), &config.prefix),
            store: config.mysql.as_ref().map(|mysql| Store::new(mysql, &config.prefix)),
            installation: Mutex::default(),
            generation: Arc::default(),
            positions: Arc::default(),
            newly_unread: NewlyUnread::default(),
            redis_clock: RedisClock::default(),
            writer_error: LastError::default(),
            replicas_error: LastError::default(),
            webhook_error: LastError::default(),
            config,
        })
    }

    /// The writer's lease, as this daemon sees it.
    pub(crate) fn lease(&self) -> Lease {
        Lease::new(self.commands.clone(), &self.prefix, self.daemon.clone())
    }
}

/// A name that no other daemon has: host, process id and a random number.
fn daemon_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // It is a part of Redis names, whose parts are joined by colons, and of the name of a connection (CLIENT
    // SETNAME), which allows no spaces.
    let allowed = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
    let host: String = host.chars().filter(allowed).collect();
    format!("chatpushd-{host}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}
