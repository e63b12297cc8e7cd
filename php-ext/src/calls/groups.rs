//! A list of users, split so that each part is of one partition and keeps Redis busy only for a short time.

use std::collections::BTreeMap;

use chatpush_wire::id::UserId;
use chatpush_wire::limit::RECEIVERS_PER_SCRIPT;
use chatpush_wire::partition::Partition;

/// Users of one partition: their places in the list.
pub(super) struct Group {
    pub(super) partition: Partition,
    pub(super) places: Vec<usize>,
}

/// The groups of a list.
pub(super) fn groups(users: &[UserId]) -> Vec<Group> {
    let mut partitions: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
    for (place, user) in users.iter().enumerate() {
        partitions.entry(Partition::of(user)).or_default().push(place);
    }
    let split = partitions.into_iter().flat_map(|(partition, places)| {
        let groups: Vec<_> = places
            .chunks(RECEIVERS_PER_SCRIPT)
            .map(|places| Group { partition, places: places.to_vec() })
            .collect();
        groups
    });
    split.collect()
}
