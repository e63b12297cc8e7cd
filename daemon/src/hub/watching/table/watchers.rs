//! The connections that watch one peer.

use super::ascending::Ascending;

/// Most watchers in a block. So whoever comes or leaves is looked for among few, however popular the peer is.
const BLOCK: usize = 256;

/// Numbers of connections.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// In ascending order, none of them empty.
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    /// No number in it is smaller, and all in the block before are.
    first: u32,
    count: usize,
    numbers: Ascending,
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.blocks.iter().flat_map(|block| block.numbers.iter())
    }

    /// Adds one that is not among them.
    pub(super) fn insert(&mut self, key: u32) {
        let at = self.index_of(key);
        let Some(block) = self.blocks.get_mut(at) else { return self.put(0, Block::of(vec![key])) };
        block.numbers.insert(key);
        (block.count, block.first) = (block.count + 1, block.first.min(key));
        if block.count > BLOCK {
            let mut numbers: Vec<_> = block.numbers.iter().collect();
            let upper = numbers.split_off(BLOCK / 2);
            *block = Block::of(numbers);
            self.put(at + 1, Block::of(upper));
        }
    }

    /// Removes one. Returns how many were looked at for it.
    pub(super) fn remove(&mut self, key: u32) -> usize {
        let at = self.index_of(key);
        let Some(block) = self.blocks.get_mut(at) else { return 0 };
        let (removed, steps) = block.numbers.remove(key);
        block.count -= usize::from(removed);
        if block.count == 0 {
            self.take(at);
        } else if block.count < BLOCK / 4 {
            return steps + self.merge(at);
        }
        steps
    }

    /// Merges a small block with the next one, if that is small too. Returns how many were looked at.
    fn merge(&mut self, at: usize) -> usize {
        let [block, next, ..] = &mut self.blocks[at..] else { return 0 };
        // Half a block more may come before it is split again, so this is rare.
        let count = block.count + next.count;
        if count > BLOCK / 2 {
            return 0;
        }
        *block = Block::of(block.numbers.iter().chain(next.numbers.iter()).collect());
        self.take(at + 1);
        count
    }

    /// The block in which a number is or would be.
    fn index_of(&self, key: u32) -> usize {
        self.blocks.partition_point(|block| block.first <= key).saturating_sub(1)
    }

    /// Most peers have one block, and a vector's first growth would allocate room for four.
    fn put(&mut self, at: usize, block: Block) {
        if self.blocks.len() == self.blocks.capacity() {
            self.blocks.reserve_exact(self.blocks.len() / 8 + 1);
        }
        self.blocks.insert(at, block);
    }

    fn take(&mut self, at: usize) {
        self.blocks.remove(at);
        if self.blocks.len() < self.blocks.capacity() / 2 {
            self.blocks.shrink_to_fit();
        }
    }

    /// Bytes that are allocated.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        let numbers: usize = self.blocks.iter().map(|block| block.numbers.allocated()).sum();
        self.blocks.capacity() * size_of::<Block>() + numbers
    }
}

impl Block {
    /// Of ascending numbers, one at least.
    fn of(numbers: Vec<u32>) -> Self {
        let first = numbers.first().copied().unwrap_or_default();
        Self { first, count: numbers.len(), numbers: Ascending::from_ascending(numbers) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Steps that one change may take: a block, and the merging of two.
    const MOST_STEPS: usize = 2 * BLOCK;

    #[test]
    fn a_popular_peer_is_left_in_few_steps() {
        let mut watchers = Watchers::default();
        (0..100_000).rev().for_each(|key| watchers.insert(key));
        assert!(watchers.iter().eq(0..100_000));
        for key in 0..100_000 {
            // From the middle, from both ends in turn.
            let key = if key % 2 == 0 { (50_000 + key / 2) % 100_000 } else { 49_999 - key / 2 };
            assert!(watchers.remove(key) <= MOST_STEPS);
        }
        assert!(watchers.is_empty());
        assert_eq!(watchers.remove(5), 0);
    }

    #[test]
    fn watchers_come_and_go_in_any_order() {
        let (mut watchers, mut expected) = (Watchers::default(), BTreeSet::new());
        let mut random = fastrand::Rng::with_seed(7);
        for step in 0..40_000 {
            let key = random.u32(..3_000);
            // Mostly growing at first, then shrinking.
            let comes = random.u32(..10) < if step < 20_000 { 7 } else { 3 };
            if comes && expected.insert(key) {
                watchers.insert(key);
            } else if !comes {
                assert!(watchers.remove(key) <= MOST_STEPS);
                expected.remove(&key);
            }
            if step % 100 == 0 {
                assert!(watchers.iter().eq(expected.iter().copied()), "step {step}");
            }
        }
        assert!(watchers.iter().eq(expected.iter().copied()));
    }

    #[test]
    fn what_a_crowd_has_needed_is_given_back() {
        let mut watchers = Watchers::default();
        (0..10_000).for_each(|key| watchers.insert(key));
        let most = watchers.allocated();
        (0..9_990).for_each(|key| {
            watchers.remove(key);
        });
        assert!(watchers.iter().eq(9_990..10_000));
        assert!(most <= 20_000 && watchers.allocated() <= 1_000, "{most}, {}", watchers.allocated());
    }
}
