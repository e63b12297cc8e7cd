//! Parts of an exchange, by the master that executes them.

use chatpush_wire::address::Endpoint;
use chatpush_wire::partition::Partition;

/// A part of an exchange.
pub(super) trait Placed {
    /// The partition of its names.
    fn partition(&self) -> Partition;

    /// Its place among the parts, set by [`divide`].
    fn place(&self) -> usize;

    /// Sets its place.
    fn set_place(&mut self, place: usize);
}

/// Takes out the parts that are left to do, for each master those of its partitions. A part of which no master is
/// known stays.
pub(super) fn divide<'a, P: Placed>(
    parts: &mut Vec<P>,
    is_left: impl Fn(&P) -> bool,
    master: impl Fn(Partition) -> Option<&'a Endpoint>,
) -> Vec<(&'a Endpoint, Vec<P>)> {
    let mut shares: Vec<(&Endpoint, Vec<P>)> = Vec::new();
    for (place, mut part) in std::mem::take(parts).into_iter().enumerate() {
        part.set_place(place);
        match is_left(&part).then(|| master(part.partition())).flatten() {
            None => parts.push(part),
            Some(endpoint) => match shares.iter_mut().find(|(known, _)| *known == endpoint) {
                Some((_, share)) => share.push(part),
                None => shares.push((endpoint, vec![part])),
            },
        }
    }
    shares
}

/// Puts back what was taken out.
pub(super) fn unite<P: Placed>(parts: &mut Vec<P>, share: Vec<P>) {
    parts.extend(share);
    parts.sort_by_key(Placed::place);
}
