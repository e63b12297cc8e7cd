//! A list of users, split so that each part is of one partition and keeps Redis busy only for a short time.

use std::collections::BTreeMap;

use chatpush_wire::id::UserId;
use chatpush_wire::limit::RECEIVERS_PER_SCRIPT;
use chatpush_wire::partition::Partition;

/// Most bytes that one script call publishes. Redis copies the content for each receiver.
const BYTES_PER_SCRIPT: usize = 4 * 1024 * 1024;

/// Users of one partition: their places in the list.
pub(super) struct Group {
    pub(super) partition: Partition,
    pub(super) places: Vec<usize>,
}

/// The groups of a list, for calls that publish `bytes` to each user.
pub(super) fn groups(users: &[UserId], bytes: usize) -> Vec<Group> {
    let most = (BYTES_PER_SCRIPT / bytes.max(1)).clamp(1, RECEIVERS_PER_SCRIPT);
    let mut partitions: BTreeMap<Partition, Vec<usize>> = BTreeMap::new();
    for (place, user) in users.iter().enumerate() {
        partitions.entry(Partition::of(user)).or_default().push(place);
    }
    let split = partitions.into_iter().flat_map(|(partition, places)| {
        let groups: Vec<_> =
            places.chunks(most).map(|places| Group { partition, places: places.to_vec() }).collect();
        groups
    });
    split.collect()
}
