//! Redis Cluster: which master has which partition. No I/O: whoever asks a node passes the answer on.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Endpoint;
use crate::partition::{Partition, Partitions};

/// A line of the answer to `CLUSTER SLOTS`: the first and the last slot, host and port of their master. A node that
/// does not know its own address names no host, or `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRange {
    /// The first slot.
    pub first: u16,
    /// The last slot.
    pub last: u16,
    /// The host of the master.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
}

/// Which master has which slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// By last slot: the first one, and the master.
    ranges: BTreeMap<u16, (u16, Endpoint)>,
}

impl Topology {
    /// The topology that the node at `asked` has answered.
    pub fn new(ranges: impl IntoIterator<Item = SlotRange>, asked: &Endpoint) -> Self {
        let Endpoint::Tcp { host: own, tls, .. } = asked else { return Self::default() };
        let ranges = ranges.into_iter().map(|SlotRange { first, last, host, port }| {
            let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| own.clone());
            (last, (first, Endpoint::Tcp { host, port, tls: *tls }))
        });
        Self { ranges: ranges.collect() }
    }

    /// The master of a slot; none while nobody has it.
    pub fn master(&self, slot: u16) -> Option<&Endpoint> {
        let (_, (first, master)) = self.ranges.range(slot..).next()?;
        (*first <= slot).then_some(master)
    }

    /// Whether a node is a master with slots.
    pub fn has(&self, node: &Endpoint) -> bool {
        self.ranges.values().any(|(_, master)| master == node)
    }

    /// The master of a partition, of which every name is in one slot.
    pub fn master_of(&self, partition: Partition) -> Option<&Endpoint> {
        self.master(partition.slot())
    }

    /// The masters.
    pub fn masters(&self) -> BTreeSet<&Endpoint> {
        self.ranges.values().map(|(_, master)| master).collect()
    }

    /// The partitions of each master that has any.
    pub fn partitions(&self) -> BTreeMap<&Endpoint, Partitions> {
        self.masters()
            .into_iter()
            .map(|master| (master, self.partitions_of(master)))
            .filter(|(_, partitions)| !partitions.is_empty())
            .collect()
    }

    /// The partitions of a master.
    pub fn partitions_of(&self, master: &Endpoint) -> Partitions {
        Partition::all().filter(|partition| self.master_of(*partition) == Some(master)).collect()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

/// An error by which a node names another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirection {
    /// `MOVED`: the slot is there from now on.
    Moved(Endpoint),
    /// `ASK`: this command alone is to be sent there, behind `ASKING`.
    Ask(Endpoint),
}

impl Redirection {
    /// Reads the error that the node at `asked` has answered: `MOVED 3999 127.0.0.1:6381`. Nothing was executed. A node
    /// that does not know the other one's host leaves it out.
    pub fn parse(error: &str, asked: &Endpoint) -> Option<Self> {
        let mut words = error.split(' ');
        let (kind, _slot, node) = (words.next()?, words.next()?, words.next()?);
        let Endpoint::Tcp { host: own, tls, .. } = asked else { return None };
        // The host may be an IPv6 address, without brackets.
        let (host, port) = node.rsplit_once(':')?;
        let host = if host.is_empty() { own.clone() } else { host.to_owned() };
        let endpoint = Endpoint::Tcp { host, port: port.parse().ok()?, tls: *tls };
        match kind {
            "MOVED" => Some(Self::Moved(endpoint)),
            "ASK" => Some(Self::Ask(endpoint)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port, tls: false }
    }

    fn range(first: u16, last: u16, host: Option<&str>, port: u16) -> SlotRange {
        SlotRange { first, last, host: host.map(str::to_owned), port }
    }

    #[test]
    fn each_slot_has_the_master_that_was_answered() {
        let asked = node("10.0.0.1", 7000);
        let topology = Topology::new(
            [
                range(0, 5460, Some(""), 7000),
                range(5461, 10922, Some("10.0.0.2"), 7001),
                range(10930, 16383, None, 7002),
            ],
            &asked,
        );
        assert_eq!(topology.master(0), Some(&asked));
        assert_eq!(topology.master(5461), Some(&node("10.0.0.2", 7001)));
        assert_eq!(topology.master(10_922), Some(&node("10.0.0.2", 7001)));
        assert_eq!(topology.master(10_925), None, "nobody has it");
        assert!(topology.has(&node("10.0.0.2", 7001)) && !topology.has(&node("10.0.0.2", 7000)));
        assert_eq!(topology.master(16_383), Some(&node("10.0.0.1", 7002)));
        let partitions = topology.partitions();
        assert_eq!(partitions.values().map(|partitions| partitions.iter().count()).sum::<usize>(), 64);
        assert_eq!(partitions.len(), 3);
    }

    #[test]
    fn redirections_are_read_and_other_errors_are_not() {
        let asked = node("10.0.0.1", 7000);
        let read = |error| Redirection::parse(error, &asked);
        assert_eq!(read("MOVED 49 10.0.0.2:7001"), Some(Redirection::Moved(node("10.0.0.2", 7001))));
        assert_eq!(read("ASK 49 ::1:7001"), Some(Redirection::Ask(node("::1", 7001))));
        assert_eq!(read("MOVED 49 :7001"), Some(Redirection::Moved(node("10.0.0.1", 7001))));
        for other in [
            "MOVED",
            "MOVED 49",
            "MOVED 49 host",
            "MOVED 49 h:x",
            "TRYAGAIN a b c:1",
            "CLUSTERDOWN Hash slot",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
