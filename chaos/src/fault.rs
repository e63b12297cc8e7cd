//! The kinds of faults, and the schedule that a seed draws.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

use crate::engine::Engine;

/// How long it takes at most until another daemon does what a killed one did: it notices at once, and each part tries
/// again within two seconds.
const TAKEN_OVER: Duration = Duration::from_secs(3);

/// The writer's lease, as long as stores wait for one that hangs.
const LEASE: Duration = Duration::from_secs(6);

/// Until a connection is noticed whose path is dead, and the users of a daemon that hangs are offline.
const HUNG: Duration = Duration::from_secs(12);

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A daemon is killed and started again.
    KillDaemon,
    /// The daemon that sends webhooks is killed while one of them is under way, or before the application has got it.
    KillSender,
    /// A daemon is paused (`SIGSTOP`) for a while.
    StopDaemon,
    /// Another daemon starts, and the old one shuts down (`SIGTERM`).
    RestartDaemon,
    /// Redis is killed and started again.
    KillRedis,
    /// Redis is killed, loses what it wrote last, and starts again.
    LoseTail,
    /// Master and replica of Redis swap their roles, and the old master lives on.
    RedisFailover,
    /// The replica of Redis lags, its master is killed, and is replaced by Sentinels or the other nodes of a cluster.
    KillMaster,
    /// A partition is moved to another master of a Redis Cluster.
    MovePartition,
    /// Redis is at `maxmemory` for a while.
    RedisFull,
    /// MariaDB is killed and started again.
    KillMariaDb,
    /// The replica of MariaDB takes the place of its primary, which lives on.
    MysqlFailover,
    /// MariaDB gets another time zone.
    TimeZone,
    /// MariaDB gives ids that are another number apart, as when a node joins Galera.
    Increment,
    /// A message is sent that MariaDB refuses with an error that daemons do not know.
    Poison,
    /// Redis closes every subscriber's connection, as it does when a subscriber is too slow.
    EndSubscriptions,
    /// A PHP worker is killed and replaced.
    KillWorker,
    /// Connections between two parts are closed, and refused for a while.
    Cut,
    /// Connections between two parts forward nothing for a while.
    Freeze,
    /// The connections of one part to Redis or MySQL forward nothing ever again, and stay open.
    Silence,
    /// Connections between two parts are slow for a while.
    Slow,
    /// A PHP process uses another database of Redis than the daemons.
    OtherDatabase,
    /// A daemon starts with another prefix on the same database.
    OtherPrefix,
    /// MariaDB does not sync its commits, and is killed: it loses the last second.
    LoseCommits,
}

/// Each kind with its name on the command line.
pub const FAULT_KINDS: [(FaultKind, &str); 24] = [
    (FaultKind::KillDaemon, "kill-daemon"),
    (FaultKind::KillSender, "kill-sender"),
    (FaultKind::StopDaemon, "stop-daemon"),
    (FaultKind::RestartDaemon, "restart-daemon"),
    (FaultKind::KillRedis, "kill-redis"),
    (FaultKind::LoseTail, "lose-tail"),
    (FaultKind::RedisFailover, "redis-failover"),
    (FaultKind::KillMaster, "kill-master"),
    (FaultKind::MovePartition, "move-partition"),
    (FaultKind::RedisFull, "redis-full"),
    (FaultKind::KillMariaDb, "kill-mariadb"),
    (FaultKind::MysqlFailover, "mysql-failover"),
    (FaultKind::TimeZone, "time-zone"),
    (FaultKind::Increment, "increment"),
    (FaultKind::Poison, "poison"),
    (FaultKind::EndSubscriptions, "end-subscriptions"),
    (FaultKind::KillWorker, "kill-worker"),
    (FaultKind::Cut, "cut"),
    (FaultKind::Freeze, "freeze"),
    (FaultKind::Silence, "silence"),
    (FaultKind::Slow, "slow"),
    (FaultKind::OtherDatabase, "other-database"),
    (FaultKind::OtherPrefix, "other-prefix"),
    (FaultKind::LoseCommits, "lose-commits"),
];

impl FaultKind {
    /// Whether it belongs to the faults that are injected unless some are named. A primary that has lost
    /// commits has no replica any more that could take its place.
    pub fn is_default(self, engine: Engine, notifications: bool) -> bool {
        self != Self::LoseCommits
            && (notifications || self != Self::KillSender)
            && (engine == Engine::Cluster || self != Self::MovePartition)
            && match engine {
                Engine::Server => self != Self::KillMaster,
                Engine::Galera => !matches!(
                    self,
                    Self::KillMaster | Self::KillMariaDb | Self::MysqlFailover | Self::Increment
                ),
                // Sentinels decide which server is the master.
                Engine::Sentinel => !matches!(self, Self::KillRedis | Self::LoseTail | Self::RedisFailover),
                // A cluster has one database.
                Engine::Cluster => !matches!(self, Self::LoseTail | Self::OtherDatabase),
            }
    }

    /// How long after its end everything works again as if it had not been (ARCHITECTURE.md, "When something fails").
    pub fn settles_within(self) -> Duration {
        match self {
            Self::TimeZone
            | Self::Increment
            | Self::Poison
            | Self::KillWorker
            | Self::OtherDatabase
            | Self::OtherPrefix => Duration::ZERO,
            Self::KillDaemon | Self::KillSender | Self::RestartDaemon => TAKEN_OVER,
            Self::StopDaemon
            | Self::KillRedis
            | Self::LoseTail
            | Self::RedisFailover
            | Self::RedisFull
            | Self::KillMariaDb
            | Self::MysqlFailover
            | Self::EndSubscriptions
            | Self::Cut
            | Self::Freeze
            | Self::Slow
            | Self::LoseCommits => LEASE,
            Self::Silence | Self::KillMaster | Self::MovePartition => HUNG,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FAULT_KINDS.iter().find(|(kind, _)| kind == self).map_or("?", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for FaultKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || FAULT_KINDS.map(|(_, name)| name).join(", ");
        FAULT_KINDS
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| format!("must be one of {}", known()))
    }
}

/// One fault of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What to break.
    pub kind: FaultKind,
    /// Which of several daemons, workers or proxies, modulo their number.
    pub target: usize,
    /// How long the fault lasts.
    pub lasts: Duration,
    /// The pause before it.
    pub after: Duration,
}

/// The schedule of a seed: rounds in which each kind occurs once, in random order.
pub fn schedule(seed: u64, kinds: &[FaultKind]) -> impl Iterator<Item = Fault> {
    let mut rng = Rng::with_seed(seed);
    let mut round = Vec::new();
    let kinds = kinds.to_vec();
    std::iter::from_fn(move || {
        if round.is_empty() {
            round.clone_from(&kinds);
            rng.shuffle(&mut round);
        }
        let kind = round.pop()?;
        let lasts = match kind {
            // Sometimes longer than the writer's lease.
            FaultKind::StopDaemon => rng.u64(500..8_000),
            FaultKind::Freeze => rng.u64(200..4_000),
            // Sometimes longer than the time between two heartbeats.
            FaultKind::RedisFull => rng.u64(500..5_000),
            _ => rng.u64(100..1_500),
        };
        let lasts = Duration::from_millis(lasts);
        Some(Fault { kind, target: rng.usize(..64), lasts, after: Duration::from_millis(rng.u64(100..900)) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_depends_on_the_seed_alone() {
        let kinds = FAULT_KINDS.map(|(kind, _)| kind);
        let draw = |seed| schedule(seed, &kinds).take(10 * kinds.len()).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for kind in kinds {
            assert_eq!(draw(7).iter().filter(|fault| fault.kind == kind).count(), 10);
        }
    }
}
