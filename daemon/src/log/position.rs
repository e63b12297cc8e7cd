//! How far the log has been applied to MySQL.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
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
    /// When the entry was accepted, in milliseconds since 1970, by Redis's clock.
    pub const fn time_ms(self) -> u64 {
        self.ms
    }

    /// The smallest id behind this one: what `XTRIM MINID` keeps. Nothing is behind the largest but itself.
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

/// A text that is no log id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log id")]
pub struct InvalidPosition;

/// The newest known position of every partition. They only ever move forward, so whoever waits for one may
/// look at any older answer and at worst wait for a newer.
#[derive(Debug)]
pub(crate) struct Positions {
    known: Vec<watch::Sender<Position>>,
    /// When MySQL was last asked by somebody who waits.
    asked: Mutex<Option<Instant>>,
}

impl Default for Positions {
    fn default() -> Self {
        let known = Partition::all().map(|_| watch::Sender::new(Position::default()));
        Self { known: known.collect(), asked: Mutex::default() }
    }
}

impl Positions {
    /// MySQL holds everything up to here.
    pub(crate) fn advance(&self, partition: Partition, position: Position) {
        if let Some(known) = self.known.get(usize::from(partition.number())) {
            known.send_if_modified(|known| {
                let forward = position > *known;
                *known = position.max(*known);
                forward
            });
        }
    }

    /// The same for several partitions, as MySQL tells them.
    pub(crate) fn advance_all(&self, found: &[(Partition, Position)]) {
        for (partition, position) in found {
            self.advance(*partition, *position);
        }
    }

    /// What MySQL is known to hold.
    pub(crate) fn known(&self, partition: Partition) -> Position {
        self.known.get(usize::from(partition.number())).map(|known| *known.borrow()).unwrap_or_default()
    }

    /// Returns once MySQL is known to hold everything up to `position`.
    pub(crate) async fn wait_for(&self, partition: Partition, position: Position) {
        if let Some(known) = self.known.get(usize::from(partition.number())) {
            // The sender lives as long as `self`, so the wait ends in no other way.
            let _ = known.subscribe().wait_for(|known| *known >= position).await;
        }
    }

    /// Whether the caller, who waits, is to ask MySQL: the answer serves all who wait, so that one of them asks, and
    /// nobody sooner than `apart` after that.
    pub(crate) fn claim_poll(&self, apart: Duration) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = asked.is_none_or(|asked| asked.elapsed() >= apart);
        if turn {
            *asked = Some(Instant::now());
        }
        turn
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
    fn positions_order_as_numbers_and_not_as_text() {
        let position = |text: &str| text.parse::<Position>().unwrap();
        assert!(position("9-0") < position("10-0"));
        assert!(position("10-9") < position("10-10"));
        assert_eq!(position("10-9").next(), position("10-10"));
        assert_eq!(position(&format!("10-{}", u64::MAX)).next(), position("11-0"));
        let last = position(&format!("{0}-{0}", u64::MAX));
        assert_eq!(last.next(), last, "an id never goes back");
        for bad in ["", "1", "1-", "-1", "1-1-1", "a-b"] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidPosition));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_all_who_wait_one_asks_at_a_time() {
        let positions = Positions::default();
        let apart = Duration::from_millis(2);
        assert!(positions.claim_poll(apart));
        assert!(!positions.claim_poll(apart));
        tokio::time::advance(apart).await;
        assert_eq!([(); 3].map(|()| positions.claim_poll(apart)), [true, false, false]);
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
