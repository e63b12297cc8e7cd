//! The partition of a receiver, and the hash tag that keeps a partition's names together in a Redis Cluster.

use std::fmt;

use crate::id::UserId;
use crate::slot::{SLOTS, crc16};

/// One of [`Partition::COUNT`] parts of all receivers. All names of a receiver (channel, log, queries,
/// replies) carry the hash tag of the receiver's partition, so all of them are in one slot of a Redis Cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// The number of partitions. The installation record holds it; whoever has another number is refused.
    pub const COUNT: u8 = 64;

    /// The partition with the number 0.
    pub const FIRST: Self = Self(0);

    /// The partition of a receiver: a number modulo [`Partition::COUNT`] (Euclidean, so never below 0), and
    /// [`Partition::of_text`] of a text.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below COUNT, a u8")]
    pub fn of(receiver: &UserId) -> Self {
        match receiver {
            UserId::Int(id) => Self((id % u32::from(Self::COUNT)) as u8),
            UserId::BigInt(id) => Self(id.rem_euclid(i64::from(Self::COUNT)) as u8),
            UserId::Text(id) => Self::of_text(id),
        }
    }

    /// The partition of a room, or of a receiver with a textual id: the text's CRC-32 (IEEE 802.3, as PHP's `crc32()`) modulo
    /// [`Partition::COUNT`].
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below COUNT, a u8")]
    pub fn of_text(receiver: &str) -> Self {
        Self((crc32fast::hash(receiver.as_bytes()) % u32::from(Self::COUNT)) as u8)
    }

    /// The partition with this number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// All partitions, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The number, 0 to 63.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The hash tag: the number and up to two letters, such as `17x`.
    pub fn tag(self) -> &'static str {
        TAGS.get(usize::from(self.0)).map_or("", Tag::text)
    }

    /// The slot of a Redis Cluster that all names of this partition are in.
    pub fn slot(self) -> u16 {
        TAGS.get(usize::from(self.0)).map_or(0, Tag::slot)
    }

    /// The partition with this hash tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let digits = tag.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        Self::new(digits.parse().ok()?).filter(|partition| partition.tag() == tag)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Some of the partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partitions(u64);

impl Partitions {
    /// Every partition.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether the partition is one of them.
    pub const fn contains(self, partition: Partition) -> bool {
        self.0 >> partition.0 & 1 == 1
    }

    /// Those that are in either.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are not in `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Partition> {
        Partition::all().filter(move |partition| self.contains(*partition))
    }
}

impl FromIterator<Partition> for Partitions {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        partitions.into_iter().fold(Self::default(), |all, partition| Self(all.0 | 1 << partition.0))
    }
}

/// The slots of each partition's share.
const SHARE: u16 = SLOTS / Partition::COUNT as u16;

/// The tag of each partition. A cluster gives each master a range of slots. So that partitions spread evenly
/// over any number of masters, the tag of partition `p` is the first one whose slot is in the `p`-th of 64
/// equal shares of all slots.
const TAGS: [Tag; Partition::COUNT as usize] = {
    let mut tags = [Tag { bytes: [0; 4], length: 0 }; Partition::COUNT as usize];
    let mut number = 0;
    while number < tags.len() {
        let mut suffix = 0;
        loop {
            let tag = Tag::new(number, suffix);
            if (tag.slot() / SHARE) as usize == number {
                tags[number] = tag;
                break;
            }
            suffix += 1;
        }
        number += 1;
    }
    tags
};

/// A hash tag, built while compiling.
#[derive(Clone, Copy, Debug)]
struct Tag {
    bytes: [u8; 4],
    length: usize,
}

impl Tag {
    /// The number in decimal, and the `suffix`-th of: nothing, `a` to `z`, `aa` to `zz`.
    #[expect(clippy::cast_possible_truncation, reason = "digits and letters fit a byte")]
    const fn new(number: usize, suffix: usize) -> Self {
        let mut tag = Self { bytes: [0; 4], length: 0 };
        if number >= 10 {
            tag = tag.with(b'0' + (number / 10) as u8);
        }
        tag = tag.with(b'0' + (number % 10) as u8);
        if suffix > 26 {
            tag = tag.with(b'a' + ((suffix - 27) / 26) as u8);
        }
        if suffix > 0 {
            tag = tag.with(b'a' + ((suffix - 1) % 26) as u8);
        }
        tag
    }

    const fn with(mut self, byte: u8) -> Self {
        self.bytes[self.length] = byte;
        self.length += 1;
        self
    }

    fn text(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The slot of a key with this tag.
    const fn slot(&self) -> u16 {
        let mut crc = 0;
        let mut at = 0;
        while at < self.length {
            crc = crc16(crc, self.bytes[at]);
            at += 1;
        }
        crc % SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_spread_evenly_over_the_masters_of_a_cluster() {
        for masters in 1..=16 {
            // redis-cli gives each master 16384 / masters slots, rounded.
            let mut held = vec![0_usize; masters];
            for tag in TAGS {
                held[(usize::from(tag.slot()) * masters / usize::from(SLOTS)).min(masters - 1)] += 1;
            }
            let (most, fewest) = (held.iter().max().unwrap(), held.iter().min().unwrap());
            assert!(most - fewest <= 2, "{masters} masters hold {held:?}");
        }
    }

    /// The slots were asked of Redis: `CLUSTER KEYSLOT {0bv}`. Tags are names of keys: they must never change.
    #[test]
    fn tags_and_slots_are_those_of_redis() {
        for (number, tag, slot) in GOLDEN_TAGS {
            let partition = Partition::new(number).unwrap();
            assert_eq!((partition.tag(), partition.slot()), (tag, slot));
        }
    }

    const GOLDEN_TAGS: [(u8, &str, u16); 4] =
        [(0, "0ai", 49), (17, "17x", 4360), (33, "33h", 8605), (63, "63dy", 16341)];

    #[test]
    fn tags_read_back_and_others_do_not() {
        for partition in Partition::all() {
            assert_eq!(Partition::of_tag(partition.tag()), Some(partition));
        }
        for other in ["", "0", "64a", "x", "1", "-1"] {
            assert!(Partition::of_tag(other).is_none_or(|partition| partition.tag() == other), "{other}");
        }
        assert_eq!(Partition::of_tag("999"), None);
    }

    #[test]
    fn sets_hold_what_is_put_into_them() {
        let [first, last] = [0, 63].map(|number| Partition::new(number).unwrap());
        let both = Partitions::from_iter([last, first]);
        assert_eq!(both.iter().collect::<Vec<_>>(), [first, last]);
        let only_last = both.without(Partitions::from_iter([first]));
        assert!(only_last.contains(last) && !only_last.contains(first));
        assert_eq!(only_last.with(both), both);
        assert_eq!(Partitions::ALL.iter().count(), 64);
        assert!(Partitions::ALL.without(Partitions::ALL).is_empty());
    }

    /// The same as in PHP: `crc32('alice') % 64`.
    #[test]
    fn text_ids_have_the_partition_of_their_crc_32() {
        for (text, number) in [("alice", 7), ("5", 46), ("guest-17@example.org", 53)] {
            assert_eq!(Partition::of_text(text).number(), number, "{text}");
        }
    }
}
