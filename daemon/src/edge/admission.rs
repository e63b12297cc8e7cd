//! Admission: how many connections there may be, from each address and in all, and how fast they are
//! admitted. It decides; the listener and the handshake answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{Limits, Live};
use crate::edge::limit_exceeded::LimitExceeded;
use crate::net::client_ip::Network;
use crate::net::rate_limit::{LimiterState, RateLimiter};

/// Sockets beyond `limits.connections`: handshakes under way, and clients that are told that the daemon is
/// full.
pub(crate) const HANDSHAKE_SOCKETS: usize = 1_024;

/// How much of a second's admissions may happen at once after a quiet time.
const ADMISSION_BURST: Duration = Duration::from_millis(100);

/// The number of known addresses from which on idle ones are removed.
const SWEEP_THRESHOLD: usize = 1_024;

/// The limits and what is in use of them. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: Live,
    sockets: AtomicUsize,
    /// Plain mutexes: nothing awaits while holding them.
    addresses: Mutex<Addresses>,
    admission_state: Mutex<LimiterState>,
}

#[derive(Debug, Default)]
struct Addresses {
    known: HashMap<Network, AddressUse>,
    /// The size at which idle addresses are removed.
    sweep_at: usize,
}

#[derive(Debug, Default)]
struct AddressUse {
    connections: usize,
    handshakes: LimiterState,
}

/// The right to hold one socket, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct SocketPermit(Arc<Shared>);

/// One connection that counts for an address until this is dropped.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    shared: Arc<Shared>,
    network: Network,
}

/// The permits of one connection, held until the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionPermit {
    /// The client, or a trusted proxy.
    pub(crate) peer: IpAddr,
    /// The client's address permit. A proxy's connection has none until the request has named the client.
    pub(crate) address_permit: Option<Arc<AddressPermit>>,
    /// The socket's permit.
    #[expect(dead_code, reason = "only its drop matters")]
    pub(crate) socket_permit: Arc<SocketPermit>,
}

impl Admission {
    /// Admission under the limits of these settings; nothing is in use.
    pub(crate) fn new(live: Live) -> Self {
        Self(Arc::new(Shared {
            live,
            sockets: AtomicUsize::default(),
            addresses: Mutex::default(),
            admission_state: Mutex::default(),
        }))
    }

    /// The limits as they are now.
    pub(crate) fn limits(&self) -> Limits {
        self.0.live.get().limits
    }

    /// A permit for one more socket.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::Full`].
    pub(crate) fn acquire_socket(&self) -> Result<SocketPermit, LimitExceeded> {
        let most = self.limits().connections + HANDSHAKE_SOCKETS;
        let one_more = |sockets| (sockets < most).then_some(sockets + 1);
        let acquired = self.0.sockets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        acquired.map(|_| SocketPermit(self.0.clone())).map_err(|_| LimitExceeded::Full)
    }

    /// A permit for one more connection of an address; its handshake is counted too.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::Address`] or [`LimitExceeded::Handshakes`].
    pub(crate) fn acquire_address(&self, address: IpAddr) -> Result<AddressPermit, LimitExceeded> {
        let network = Network::from(address);
        let (now, limits) = (Instant::now(), self.limits());
        let handshakes = RateLimiter::per_second(limits.handshakes_per_address, Duration::from_secs(1));
        let mut addresses = self.0.addresses();
        addresses.sweep(now);
        let known = addresses.known.entry(network).or_default();
        if !handshakes.allows(&mut known.handshakes, now) {
            return Err(LimitExceeded::Handshakes);
        }
        if known.connections >= limits.connections_per_address {
            return Err(LimitExceeded::Address);
        }
        known.connections += 1;
        drop(addresses);
        Ok(AddressPermit { shared: self.0.clone(), network })
    }

    /// Checks that one more connection is allowed beside the `connections` that exist.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::Full`].
    pub(crate) fn check_capacity(&self, connections: usize) -> Result<(), LimitExceeded> {
        if connections < self.limits().connections { Ok(()) } else { Err(LimitExceeded::Full) }
    }

    /// Waits until one more connection may be admitted. The rate bounds what a returning crowd takes from the
    /// connections that exist.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::Crowded`] if the wait would be too long.
    pub(crate) async fn acquire(&self) -> Result<(), LimitExceeded> {
        let limits = self.limits();
        let admissions = RateLimiter::per_second(limits.admissions, ADMISSION_BURST);
        // The client must still be answered within the handshake timeout.
        let max_wait = limits.handshake / 2;
        let wait = {
            let mut state = self.0.admission_state.lock().unwrap_or_else(PoisonError::into_inner);
            admissions.acquire(&mut state, Instant::now(), max_wait)
        };
        let wait = wait.ok_or(LimitExceeded::Crowded)?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

impl Shared {
    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Addresses {
    /// Removes idle addresses whenever the map has doubled since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.known.len() >= self.sweep_at.max(SWEEP_THRESHOLD) {
            self.known.retain(|_, known| known.connections > 0 || !known.handshakes.is_idle(now));
            self.sweep_at = self.known.len() * 2;
        }
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if let Some(known) = self.shared.addresses().known.get_mut(&self.network) {
            known.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(change: impl FnOnce(&mut Limits)) -> Admission {
        let live = Live::of_defaults();
        live.change(|settings| change(&mut settings.limits));
        Admission::new(live)
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn limits_apply_to_each_address_alone() {
        let admission = admission(|limits| {
            (limits.connections_per_address, limits.handshakes_per_address) = (2, 4);
        });
        let held =
            [admission.acquire_address(address(1)).unwrap(), admission.acquire_address(address(1)).unwrap()];
        assert_eq!(admission.acquire_address(address(1)).unwrap_err(), LimitExceeded::Address);
        drop(held);
        assert!(admission.acquire_address(address(1)).is_ok(), "the fourth within a second");
        assert_eq!(admission.acquire_address(address(1)).unwrap_err(), LimitExceeded::Handshakes);
        assert!(admission.acquire_address(address(2)).is_ok());
        tokio::time::advance(Duration::from_millis(250)).await;
        assert!(admission.acquire_address(address(1)).is_ok(), "a quarter of a second later");
    }

    /// What is in use stays in use; the limits are those of now.
    #[test]
    fn limits_change_while_sockets_are_open() {
        let admission = admission(|limits| limits.connections = 1);
        let change = |to| admission.0.live.change(|settings| settings.limits.connections = to);
        let mut held: Vec<_> =
            std::iter::from_fn(|| admission.acquire_socket().ok()).take(HANDSHAKE_SOCKETS + 9).collect();
        assert_eq!(held.len(), HANDSHAKE_SOCKETS + 1);
        change(2);
        held.extend(admission.acquire_socket());
        assert_eq!(held.len(), HANDSHAKE_SOCKETS + 2);
        change(1);
        drop(held.split_off(HANDSHAKE_SOCKETS + 1));
        assert_eq!(admission.acquire_socket().unwrap_err(), LimitExceeded::Full);
        drop(held);
        assert!(admission.acquire_socket().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn idle_addresses_are_removed() {
        let admission = admission(|_| {});
        let held = admission.acquire_address(address(0)).unwrap();
        for number in 1..=100_000 {
            assert!(admission.acquire_address(address(number)).is_ok());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(admission.0.addresses().known.len() <= SWEEP_THRESHOLD);
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_admitted_at_the_rate_or_rejected() {
        let admission = admission(|limits| limits.admissions = 100);
        let start = Instant::now();
        let admissions: Vec<_> = (0..2_000).map(|_| admission.acquire()).collect();
        let outcomes = futures_util::future::join_all(admissions).await;
        let passed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!((500..=511).contains(&passed), "{passed}");
        assert_eq!(start.elapsed().as_secs(), 5);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(LimitExceeded::Crowded))));
        assert_eq!(admission.check_capacity(99_999), Ok(()));
        assert_eq!(admission.check_capacity(100_000), Err(LimitExceeded::Full));
    }
}
