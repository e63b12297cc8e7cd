//! Ascending numbers in little memory.

/// Most bytes of one difference.
const DIFFERENCE_BYTES: usize = 5;

/// Ascending numbers, each stored as the difference to the one before, seven bits to a byte (LEB128, DWARF 5
/// section 7.6). Numbers that are close together take a byte each instead of four.
#[derive(Debug, Default)]
pub(super) struct Ascending(Vec<u8>);

/// Where a number is or would be.
struct Place {
    /// The bytes of the first difference that leads to this number or a larger one.
    bytes: std::ops::Range<usize>,
    /// The number before it, or 0.
    before: u32,
    /// The number to which the difference leads, if there is one.
    number: Option<u32>,
    steps: usize,
}

/// The numbers in order.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    left: &'a [u8],
    last: u32,
}

impl Ascending {
    /// These numbers, which must be in ascending order, each once.
    pub(super) fn from_ascending(numbers: impl IntoIterator<Item = u32>) -> Self {
        let (mut bytes, mut last) = (Vec::new(), 0);
        for number in numbers {
            push(&mut bytes, number - last);
            last = number;
        }
        bytes.shrink_to_fit();
        Self(bytes)
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { left: &self.0, last: 0 }
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.place(number).number == Some(number)
    }

    /// Adds a number that is not among them.
    pub(super) fn insert(&mut self, number: u32) {
        let place = self.place(number);
        let mut bytes = Vec::with_capacity(2 * DIFFERENCE_BYTES);
        push(&mut bytes, number - place.before);
        if let Some(next) = place.number {
            push(&mut bytes, next - number);
        }
        // A vector that doubles would waste more than all else that a number takes.
        if self.0.capacity() - self.0.len() < bytes.len() {
            self.0.reserve_exact(self.0.len() / 16 + bytes.len());
        }
        self.0.splice(place.bytes, bytes);
    }

    /// Removes a number. Returns whether it was there, and how many were looked at.
    pub(super) fn remove(&mut self, number: u32) -> (bool, usize) {
        let place = self.place(number);
        if place.number != Some(number) {
            return (false, place.steps);
        }
        let mut rest = Iter { left: &self.0[place.bytes.end..], last: number };
        let mut bytes = Vec::with_capacity(DIFFERENCE_BYTES);
        if let Some(next) = rest.next() {
            push(&mut bytes, next - place.before);
        }
        let end = self.0.len() - rest.left.len();
        self.0.splice(place.bytes.start..end, bytes);
        if self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to_fit();
        }
        (true, place.steps + 1)
    }

    /// Bytes that are allocated.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        self.0.capacity()
    }

    fn place(&self, number: u32) -> Place {
        let (mut numbers, mut before, mut steps) = (self.iter(), 0, 0);
        loop {
            let start = self.0.len() - numbers.left.len();
            let next = numbers.next();
            steps += 1;
            match next {
                Some(next) if next < number => before = next,
                number => {
                    return Place { bytes: start..self.0.len() - numbers.left.len(), before, number, steps };
                }
            }
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (mut difference, mut shift) = (0, 0);
        loop {
            let (byte, left) = self.left.split_first()?;
            self.left = left;
            difference |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                self.last += difference;
                return Some(self.last);
            }
            shift += 7;
        }
    }
}

fn push(bytes: &mut Vec<u8>, mut difference: u32) {
    while difference > 0x7f {
        // The lowest seven bits.
        bytes.push(difference.to_le_bytes()[0] | 0x80);
        difference >>= 7;
    }
    bytes.push(difference.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_of_any_size_read_back() {
        for numbers in [&[][..], &[0], &[0, 1, 128], &[127, 16_384, 2_097_152, 268_435_456, u32::MAX]] {
            let list = Ascending::from_ascending(numbers.iter().copied());
            assert_eq!(list.iter().collect::<Vec<_>>(), numbers);
            assert!(numbers.iter().all(|number| list.contains(*number)) && !list.contains(5));
        }
    }

    #[test]
    fn numbers_come_and_go_in_any_order() {
        let (mut list, mut expected) = (Ascending::default(), BTreeSet::new());
        let mut random = fastrand::Rng::with_seed(7);
        for step in 0..20_000 {
            // Close together at first, then far apart.
            let number = random.u32(..if step < 10_000 { 300 } else { u32::MAX }) / 7 * 7;
            let number = if random.bool() { number } else { number % 700 };
            if expected.remove(&number) {
                assert!(list.remove(number).0);
            } else if expected.len() < 300 {
                assert!(!list.remove(number).0);
                list.insert(number);
                expected.insert(number);
            }
            assert!(list.iter().eq(expected.iter().copied()), "step {step}");
        }
    }

    #[test]
    fn neighbours_take_a_byte_and_little_is_kept_in_reserve() {
        let mut list = Ascending::default();
        (0..10_000).for_each(|number| list.insert(number * 100));
        assert!(list.allocated() <= 11_000, "{}", list.allocated());
        (0..9_900).for_each(|number| assert!(list.remove(number * 100).0));
        assert!(list.allocated() <= 250, "{}", list.allocated());
    }
}
