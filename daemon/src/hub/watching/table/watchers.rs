//! The connections that watch one peer.

use std::collections::HashSet;

/// Most watchers in a list. A list takes the least memory, but whoever leaves must be looked for.
const LISTED: usize = 512;

/// Numbers of connections, in no order.
#[derive(Debug)]
pub(super) enum Watchers {
    /// Of most peers.
    List(Vec<u32>),
    /// Of a popular peer, whom one connection leaves as fast as any other peer.
    Set(HashSet<u32>),
}

impl Default for Watchers {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Set(set) => set.is_empty(),
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (list, set) = match self {
            Self::List(list) => (Some(list), None),
            Self::Set(set) => (None, Some(set)),
        };
        list.into_iter().flatten().chain(set.into_iter().flatten()).copied()
    }

    /// Adds one that is not among them.
    pub(super) fn insert(&mut self, key: u32) {
        match self {
            Self::List(list) if list.len() < LISTED => {
                // Growing by half of it would waste more than all else that a peer takes.
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len() / 8 + 1);
                }
                list.push(key);
            }
            Self::List(list) => *self = Self::Set(list.drain(..).chain([key]).collect()),
            Self::Set(set) => {
                set.insert(key);
            }
        }
    }

    /// Removes one. Returns how many were looked at for it.
    pub(super) fn remove(&mut self, key: u32) -> usize {
        match self {
            Self::List(list) => {
                let at = list.iter().position(|other| *other == key);
                if let Some(at) = at {
                    list.swap_remove(at);
                }
                at.map_or(list.len(), |at| at + 1)
            }
            Self::Set(set) => {
                set.remove(&key);
                // Half as many again may come before it is a set again, so this is rare.
                if set.len() <= LISTED / 2 {
                    *self = Self::List(set.drain().collect());
                } else if set.len() < set.capacity() / 4 {
                    set.shrink_to(set.len() * 2);
                }
                1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(watchers: &Watchers) -> Vec<u32> {
        let mut all: Vec<_> = watchers.iter().collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_popular_peer_is_left_without_a_search() {
        let mut watchers = Watchers::default();
        (0..100_000).for_each(|key| watchers.insert(key));
        assert_eq!(sorted(&watchers), (0..100_000).collect::<Vec<_>>());
        for key in 0..100_000 {
            assert!(watchers.remove(key) <= LISTED);
        }
        assert!(watchers.is_empty());
    }

    #[test]
    fn the_same_watchers_remain_in_either_form() {
        let mut watchers = Watchers::default();
        let most = u32::try_from(LISTED).unwrap();
        (0..most * 8).for_each(|key| watchers.insert(key));
        assert!(matches!(watchers, Watchers::Set(_)));
        (most / 4..most * 8).for_each(|key| {
            watchers.remove(key);
        });
        assert!(matches!(watchers, Watchers::List(_)));
        assert_eq!(sorted(&watchers), (0..most / 4).collect::<Vec<_>>());
        watchers.insert(7_000);
        assert_eq!(watchers.remove(6_999), LISTED / 4 + 1, "it is none of them");
    }

    #[test]
    fn memory_of_a_crowd_is_given_back() {
        let mut watchers = Watchers::default();
        (0..100_000).for_each(|key| watchers.insert(key));
        (1_000..100_000).for_each(|key| {
            watchers.remove(key);
        });
        let Watchers::Set(set) = &watchers else { panic!("it is a set") };
        assert!(set.capacity() <= 8_000, "{}", set.capacity());
    }
}
