//! Positions: how far each partition's log has been applied to MySQL.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::partition::Partition;
use tokio::sync::watch;
use tokio::time::Instant;

/// The id of a log entry: milliseconds and a sequence number (Redis manual, "Redis Streams", entry IDs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    ms: u64,
    seq: u64,
}

impl Position {
    /// The entry with this time, in milliseconds since 1970, and this number within the millisecond.
    pub(crate) const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// Its number among the entries of its millisecond.
    pub(crate) const fn seq(self) -> u64 {
        self.seq
    }

    /// When the entry was appended, in milliseconds since 1970 by Redis's clock.
    pub const fn time_ms(self) -> u64 {
        self.ms
    }

    /// The next smaller id. For the smallest id it is the same.
    #[must_use]
    pub(crate) const fn previous(self) -> Self {
        match (self.ms, self.seq.checked_sub(1)) {
            (ms, Some(seq)) => Self { ms, seq },
            (0, None) => self,
            (ms, None) => Self { ms: ms - 1, seq: u64::MAX },
        }
    }

    /// The next larger id, from which on `XTRIM MINID` keeps entries. For the largest id it is the same.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.seq.checked_add(1) {
            Some(seq) => Self { ms: self.ms, seq },
            None => match self.ms.checked_add(1) {
                Some(ms) => Self { ms, seq: 0 },
                None => self,
            },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (ms, seq) = text.split_once('-').ok_or(InvalidPosition)?;
        let number = |text: &str| text.parse().map_err(|_| InvalidPosition);
        Ok(Self { ms: number(ms)?, seq: number(seq)? })
    }
}

/// The text is not a log id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log id")]
pub struct InvalidPosition;

/// How long a server that is behind what was reached before may be waited for. MySQL was restored from a backup
/// if it never gets there.
const SET_BACK_TIMEOUT: Duration = Duration::from_secs(60);

/// The latest known position of each partition. A position moves forward, so an older value is safe to use: at
/// worst a waiter waits longer. Only a MySQL that has lost its last commits sets it back, or another one that is
/// behind.
#[derive(Debug)]
pub(crate) struct Positions {
    known: Vec<watch::Sender<Position>>,
    /// For each partition that was set back, the highest position before that, and when that was.
    set_back: Mutex<HashMap<Partition, (Position, Instant)>>,
    /// When a waiter last polled MySQL.
    polled: Mutex<Option<Instant>>,
}

impl Default for Positions {
    fn default() -> Self {
        let known = Partition::all().map(|_| watch::Sender::new(Position::default()));
        Self { known: known.collect(), set_back: Mutex::default(), polled: Mutex::default() }
    }
}

impl Positions {
    /// Records that MySQL holds everything up to `position`.
    pub(crate) fn advance(&self, partition: Partition, position: Position) {
        if let Some(known) = self.known.get(usize::from(partition.number())) {
            known.send_if_modified(|known| {
                let forward = position > *known;
                *known = position.max(*known);
                forward
            });
        }
    }

    /// Records the positions that the writer has read from MySQL. They may be behind those that were known: a
    /// MySQL that is not durable loses its last commits in a crash, and the entries are applied again.
    pub(crate) fn reset(&self, found: &[(Partition, Position)]) {
        self.lock_set_back().clear();
        for (partition, position) in found {
            if let Some(known) = self.known.get(usize::from(partition.number())) {
                known.send_replace(*position);
            }
        }
    }

    /// Records that the server that is read from has reached only `found`.
    pub(crate) fn set_back(&self, partition: Partition, found: Position) {
        if let Some(known) = self.known.get(usize::from(partition.number())) {
            known.send_if_modified(|known| {
                let back = found < *known;
                if back {
                    let now = Instant::now();
                    let mut set_back = self.lock_set_back();
                    let (highest, _) = set_back.entry(partition).or_insert((*known, now));
                    *highest = (*highest).max(*known);
                }
                *known = found.min(*known);
                back
            });
        }
    }

    /// The highest position that a server has reached. Entries up to it may be gone from the log, so a server
    /// that is behind it may lack messages that no entry names any more.
    pub(crate) fn highest(&self, partition: Partition) -> Position {
        let known = self.known(partition);
        let mut set_back = self.lock_set_back();
        match set_back.get(&partition) {
            Some((highest, since)) if known < *highest && since.elapsed() < SET_BACK_TIMEOUT => *highest,
            Some(_) => {
                set_back.remove(&partition);
                known
            }
            None => known,
        }
    }

    fn lock_set_back(&self) -> MutexGuard<'_, HashMap<Partition, (Position, Instant)>> {
        self.set_back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the positions that were read from MySQL.
    pub(crate) fn advance_all(&self, found: &[(Partition, Position)]) {
        for (partition, position) in found {
            self.advance(*partition, *position);
        }
    }

    /// Up to where MySQL is known to hold everything.
    pub(crate) fn known(&self, partition: Partition) -> Position {
        self.known.get(usize::from(partition.number())).map(|known| *known.borrow()).unwrap_or_default()
    }

    /// Returns once MySQL is known to hold everything up to `position`.
    pub(crate) async fn wait_for(&self, partition: Partition, position: Position) {
        if let Some(known) = self.known.get(usize::from(partition.number())) {
            // It cannot fail: the sender lives as long as `self`.
            let _ = known.subscribe().wait_for(|known| *known >= position).await;
        }
    }

    /// Whether the calling waiter is the one to poll MySQL: the result serves all waiters, so one of them
    /// polls per `interval`.
    pub(crate) fn claim_poll(&self, interval: Duration) -> bool {
        let mut polled = self.polled.lock().unwrap_or_else(PoisonError::into_inner);
        let due = polled.is_none_or(|polled| polled.elapsed() >= interval);
        if due {
            *polled = Some(Instant::now());
        }
        due
    }

    /// Whether MySQL is known to hold everything up to `position`.
    pub(crate) fn has_reached(&self, partition: Partition, position: Position) -> bool {
        self.known(partition) >= position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_ordered_as_numbers() {
        let position = |text: &str| text.parse::<Position>().unwrap();
        assert!(position("9-0") < position("10-0"));
        assert!(position("10-9") < position("10-10"));
        assert_eq!(position("10-9").next(), position("10-10"));
        assert_eq!(position(&format!("10-{}", u64::MAX)).next(), position("11-0"));
        let last = position(&format!("{0}-{0}", u64::MAX));
        assert_eq!(last.next(), last, "the largest id has no next one");
        assert_eq!(position("10-10").previous(), position("10-9"));
        assert_eq!(position("11-0").previous(), position(&format!("10-{}", u64::MAX)));
        assert_eq!(position("0-0").previous(), position("0-0"), "the smallest id has no previous one");
        for bad in ["", "1", "1-", "-1", "1-1-1", "a-b"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_waiter_polls_per_interval() {
        let positions = Positions::default();
        let interval = Duration::from_millis(2);
        assert!(positions.claim_poll(interval));
        assert!(!positions.claim_poll(interval));
        tokio::time::advance(interval).await;
        assert_eq!([(); 3].map(|()| positions.claim_poll(interval)), [true, false, false]);
    }

    #[test]
    fn server_that_is_behind_sets_back_its_own_partition() {
        let positions = Positions::default();
        let [one, other] = [3, 4].map(|number| Partition::new(number).unwrap());
        let position = |text: &str| text.parse::<Position>().unwrap();
        positions.advance_all(&[(one, position("5-0")), (other, position("5-0"))]);
        positions.set_back(one, position("4-0"));
        positions.set_back(one, position("4-5"));
        assert_eq!([one, other].map(|partition| positions.known(partition)), ["4-0", "5-0"].map(position));
        assert_eq!([one, other].map(|partition| positions.highest(partition)), ["5-0"; 2].map(position));
        positions.advance(one, position("6-0"));
        assert_eq!(positions.highest(one), position("6-0"));
        positions.set_back(one, position("4-0"));
        positions.reset(&[(one, position("3-0"))]);
        assert_eq!(positions.highest(one), position("3-0"), "the writer knows what MySQL has");
    }

    #[tokio::test]
    async fn positions_never_go_back() {
        let positions = Positions::default();
        let partition = Partition::new(3).unwrap();
        positions.advance(partition, "5-0".parse().unwrap());
        positions.advance(partition, "4-0".parse().unwrap());
        assert!(positions.has_reached(partition, "5-0".parse().unwrap()));
        assert!(!positions.has_reached(partition, "5-1".parse().unwrap()));
        positions.wait_for(partition, "5-0".parse().unwrap()).await;
    }
}
