//! The partition of a receiver.

use std::fmt;

use crate::id::UserId;

/// One of [`Partition::COUNT`] parts of all receivers. The partition is the Redis Cluster hash tag of a
/// receiver's names (channel, log, queries, replies), so all of them are in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// The number of partitions. The first `chatpushd migrate` makes as many rows in `chatpush_position`. A
    /// daemon that finds another number of rows refuses to start.
    pub const COUNT: u8 = 16;

    /// The partition of a receiver.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below COUNT, a u8")]
    pub const fn of(receiver: UserId) -> Self {
        Self((receiver.get() % Self::COUNT as u32) as u8)
    }

    /// The partition with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// All partitions, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The number, 0 to 15.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
