//! What can be broken, and the order in which a seed breaks it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A daemon is killed and started again.
    KillDaemon,
    /// A daemon is stopped for a while and goes on.
    StopDaemon,
    /// A daemon is asked to stop and another takes its place.
    RestartDaemon,
    /// Redis is killed and started again.
    KillRedis,
    /// MariaDB is killed and started again.
    KillMariaDb,
    /// Redis ends every subscription, as it does with a subscriber that falls behind.
    EndSubscriptions,
    /// A PHP worker is killed and replaced.
    KillWorker,
    /// A connection between two parts is closed and refused for a while.
    Cut,
    /// A connection between two parts passes nothing on for a while.
    Freeze,
    /// A connection between two parts is slow for a while.
    Slow,
}

/// Every kind with its name on the command line.
pub const FAULT_KINDS: [(FaultKind, &str); 10] = [
    (FaultKind::KillDaemon, "kill-daemon"),
    (FaultKind::StopDaemon, "stop-daemon"),
    (FaultKind::RestartDaemon, "restart-daemon"),
    (FaultKind::KillRedis, "kill-redis"),
    (FaultKind::KillMariaDb, "kill-mariadb"),
    (FaultKind::EndSubscriptions, "end-subscriptions"),
    (FaultKind::KillWorker, "kill-worker"),
    (FaultKind::Cut, "cut"),
    (FaultKind::Freeze, "freeze"),
    (FaultKind::Slow, "slow"),
];

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
    /// What is broken.
    pub kind: FaultKind,
    /// Which of several: taken modulo how many there are.
    pub target: usize,
    /// How long it lasts.
    pub lasts: Duration,
    /// How long there is peace before it.
    pub after: Duration,
}

/// The schedule of a seed: every kind as often as every other, in a shuffled order.
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
            // Longer than a lease, now and then.
            FaultKind::StopDaemon => rng.u64(500..8_000),
            FaultKind::Freeze => rng.u64(200..4_000),
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
    fn a_seed_draws_the_same_faults_again_and_another_seed_others() {
        let kinds = FAULT_KINDS.map(|(kind, _)| kind);
        let draw = |seed| schedule(seed, &kinds).take(100).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for kind in kinds {
            assert_eq!(draw(7).iter().filter(|fault| fault.kind == kind).count(), 10);
        }
    }
}
