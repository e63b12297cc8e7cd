//! Free TCP ports.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;

/// The kernel gives the ports above these to outgoing connections (`ip_local_port_range` in ip(7)), so one of
/// those could be taken between the search and its use.
const PORTS: Range<u16> = 10_240..32_768;

/// Where the next search begins: processes begin at random, and a process never returns a port twice in a row.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(..)));

/// Returns a TCP port of 127.0.0.1 that is free now.
pub fn free() -> anyhow::Result<u16> {
    let candidates =
        PORTS.map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start));
    candidates
        .into_iter()
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .with_context(|| format!("no port of {PORTS:?} is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_outside_of_the_ephemeral_range() {
        let ports: Vec<_> = (0..100).map(|_| free().unwrap()).collect();
        let mut distinct = ports.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ports.len());
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}
