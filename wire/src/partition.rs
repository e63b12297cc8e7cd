//! Which partition a receiver belongs to.

use std::fmt;

use crate::id::UserId;

/// One of the [`Partition::COUNT`] slices of all receivers. Everything of one receiver (channel, log,
/// reads, replies) carries the partition as its Redis Cluster hash tag and so lives in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// How many there are. The first `chatpushd migrate` writes it down as the rows of
    /// `chatpush_position`; a daemon that finds another number refuses to start.
    pub const COUNT: u8 = 16;

    /// The partition of a receiver.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below COUNT, a u8")]
    pub const fn of(receiver: UserId) -> Self {
        Self((receiver.get() % Self::COUNT as u32) as u8)
    }

    /// The partition with that number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its number, 0 to 15: an index into anything kept per partition.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
