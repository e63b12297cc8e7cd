//! Who is let in: bounds on connections by address and on handshakes by time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::Limits;
use crate::net::client_ip::Network;
use crate::net::rate_limit::{LimiterState, RateLimiter};

/// Sockets there may be beyond the connections that are let in, so that a full daemon can still say so.
pub const HANDSHAKES: usize = 1_024;

/// How many may be let in at once after a quiet time, as a part of a second's.
const BURST: Duration = Duration::from_millis(100);

/// Addresses that are remembered before those are looked for that need not be.
const SWEEP: usize = 1_024;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// This daemon holds as many connections as it may.
    #[error("this daemon is full: see limits.connections in chatpush.toml")]
    Full,
    /// More are waiting to be let in than can be within the time for a handshake.
    #[error("too many connect at once: see limits.admissions in chatpush.toml")]
    Crowded,
    /// The address holds as many connections as one may.
    #[error("too many connections from this address: see limits.connections_per_address in chatpush.toml")]
    Address,
    /// The address shakes hands too often.
    #[error("too many handshakes from this address: see limits.handshakes_per_address in chatpush.toml")]
    Handshakes,
    /// The user holds as many connections as one may.
    #[error("too many connections of this user: see limits.connections_per_user in chatpush.toml")]
    User,
}

impl Rejection {
    /// RFC 6585 section 4 for what is the client's doing, 503 for what is not.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Full | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address | Self::Handshakes | Self::User => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// The bounds, and what is in use of them. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    sockets: Arc<Semaphore>,
    handshakes: RateLimiter,
    admissions: RateLimiter,
    /// Plain mutexes: nothing awaits while holding them.
    addresses: Mutex<Addresses>,
    next: Mutex<LimiterState>,
}

#[derive(Debug, Default)]
struct Addresses {
    known: HashMap<Network, Known>,
    /// At how many the map is swept.
    sweep: usize,
}

#[derive(Debug, Default)]
struct Known {
    connections: usize,
    handshakes: LimiterState,
}

/// A socket's place, until it is dropped.
#[derive(Debug)]
pub struct SocketPermit(#[allow(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

/// A connection that counts for an address, until it is dropped.
#[derive(Debug)]
pub struct AddressPermit {
    shared: Arc<Shared>,
    network: Network,
}

/// Who sent a request. It holds the connection's places among all and of its address until the last clone
/// is dropped.
#[derive(Clone, Debug)]
pub struct ConnectionPermit {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Counted for an address already. A connection of a proxy only is when it has said for whom it is.
    pub address_permit: Option<Arc<AddressPermit>>,
    /// Counted among all.
    pub socket_permit: Arc<SocketPermit>,
}

impl Admission {
    /// Nobody is in yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            sockets: Arc::new(Semaphore::new(limits.connections + HANDSHAKES)),
            handshakes: RateLimiter::per_second(limits.handshakes_per_address, Duration::from_secs(1)),
            admissions: RateLimiter::per_second(limits.admissions, BURST),
            addresses: Mutex::default(),
            next: Mutex::default(),
        }))
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// A place for one more socket.
    ///
    /// # Errors
    ///
    /// [`Rejection::Full`].
    pub fn acquire_socket(&self) -> Result<SocketPermit, Rejection> {
        self.0.sockets.clone().try_acquire_owned().map(SocketPermit).map_err(|_| Rejection::Full)
    }

    /// Counts a connection and its handshake for an address.
    ///
    /// # Errors
    ///
    /// [`Rejection::Address`] or [`Rejection::Handshakes`].
    pub fn acquire_address(&self, address: IpAddr) -> Result<AddressPermit, Rejection> {
        let network = Network::from(address);
        let now = Instant::now();
        let mut addresses = self.0.addresses();
        addresses.sweep(now);
        let known = addresses.known.entry(network).or_default();
        if !self.0.handshakes.allows(&mut known.handshakes, now) {
            return Err(Rejection::Handshakes);
        }
        if known.connections >= self.0.limits.connections_per_address {
            return Err(Rejection::Address);
        }
        known.connections += 1;
        drop(addresses);
        Ok(AddressPermit { shared: self.0.clone(), network })
    }

    /// Whether one more may come to so many connections.
    ///
    /// # Errors
    ///
    /// [`Rejection::Full`].
    pub fn check_capacity(&self, connections: usize) -> Result<(), Rejection> {
        if connections < self.0.limits.connections { Ok(()) } else { Err(Rejection::Full) }
    }

    /// Waits until one more connection may be let in, so that a crowd that comes back does not starve those
    /// who are here.
    ///
    /// # Errors
    ///
    /// [`Rejection::Crowded`] if the turn comes too late.
    pub async fn acquire(&self) -> Result<(), Rejection> {
        // The client still has to be answered within the time for its handshake.
        let patience = self.0.limits.handshake / 2;
        let wait = {
            let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.admissions.acquire(&mut next, Instant::now(), patience)
        };
        let wait = wait.ok_or(Rejection::Crowded)?;
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
    /// Forgets addresses that nothing needs to be known of, whenever they may be half of all.
    fn sweep(&mut self, now: Instant) {
        if self.known.len() >= self.sweep.max(SWEEP) {
            self.known.retain(|_, known| known.connections > 0 || !known.handshakes.is_idle(now));
            self.sweep = self.known.len() * 2;
        }
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
        let mut limits = Limits::default();
        change(&mut limits);
        Admission::new(limits)
    }

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_connections_and_handshakes_and_others_do_not_notice() {
        let admission = admission(|limits| {
            (limits.connections_per_address, limits.handshakes_per_address) = (2, 4);
        });
        let held =
            [admission.acquire_address(address(1)).unwrap(), admission.acquire_address(address(1)).unwrap()];
        assert_eq!(admission.acquire_address(address(1)).unwrap_err(), Rejection::Address);
        drop(held);
        assert!(admission.acquire_address(address(1)).is_ok(), "the fourth within a second");
        assert_eq!(admission.acquire_address(address(1)).unwrap_err(), Rejection::Handshakes);
        assert!(admission.acquire_address(address(2)).is_ok());
        tokio::time::advance(Duration::from_millis(250)).await;
        assert!(admission.acquire_address(address(1)).is_ok(), "a quarter of a second later");
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_forgotten() {
        let admission = admission(|_| {});
        let held = admission.acquire_address(address(0)).unwrap();
        for number in 1..=100_000 {
            assert!(admission.acquire_address(address(number)).is_ok());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(admission.0.addresses().known.len() <= SWEEP);
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_let_in_at_the_rate_and_what_would_wait_too_long_is_sent_away() {
        let admission = admission(|limits| limits.admissions = 100);
        let start = Instant::now();
        let turns: Vec<_> = (0..2_000).map(|_| admission.acquire()).collect();
        let outcomes = futures_util::future::join_all(turns).await;
        let passed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!((500..=511).contains(&passed), "{passed}");
        assert_eq!(start.elapsed().as_secs(), 5);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(Rejection::Crowded))));
        assert_eq!(admission.check_capacity(99_999), Ok(()));
        assert_eq!(admission.check_capacity(100_000), Err(Rejection::Full));
    }
}
