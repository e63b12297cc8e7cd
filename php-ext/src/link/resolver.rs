//! Looking up a host within a deadline.
//!
//! The system's resolver (`getaddrinfo(3)`) knows `/etc/hosts`, search domains and everything else that an
//! operator has set; but it cannot be interrupted, and takes ten seconds and more when its name server is
//! silent. So it runs in a thread, as in libcurl, and the thread is left alone when the deadline passes. It
//! ends with the look-up, holds nothing of PHP, and there are never more than [`MOST`] of them.

#![allow(unsafe_code, reason = "the standard library cannot set a thread's signal mask")]

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::error::LinkError;

/// Most look-ups at a time of one process. More than one only if `chatpush.redis_url` changes meanwhile.
const MOST: usize = 4;

/// How long the result of a look-up that nobody waited for is good for.
const FRESH: Duration = Duration::from_secs(1);

/// When the look-up ended, and its result.
type Found = (Instant, io::Result<Vec<IpAddr>>);

/// A look-up that was still under way when its call had no more time.
struct Lookup {
    host: String,
    /// The process that began it. A child of that has a copy of this, but not the thread.
    process: u32,
    /// Empty only while it is dropped.
    receiver: Option<Receiver<Found>>,
    /// The result, once it was received.
    found: Option<Found>,
}

thread_local! {
    static UNDER_WAY: RefCell<Vec<Lookup>> = const { RefCell::new(Vec::new()) };
}

/// The addresses of a host. An IP address needs no look-up, and no thread.
pub(super) fn lookup(host: &str, deadline: Instant) -> Result<Vec<IpAddr>, LinkError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let mut lookup = match under_way(host)? {
        Some(lookup) => lookup,
        None => begin(host)?,
    };
    match lookup.wait(deadline) {
        Some(Ok(addresses)) => Ok(addresses),
        Some(Err(error)) => Err(LinkError::Lookup(host.to_owned(), error)),
        None => {
            UNDER_WAY.with_borrow_mut(|lookups| lookups.push(lookup));
            Err(LinkError::LookupTimeout(host.to_owned()))
        }
    }
}

/// Takes the look-up of this host that is under way or has ended a moment ago. Forgets the others that have
/// ended, and those of a parent process.
fn under_way(host: &str) -> Result<Option<Lookup>, LinkError> {
    UNDER_WAY.with_borrow_mut(|lookups| {
        lookups.retain_mut(Lookup::is_useful);
        match lookups.iter().position(|lookup| lookup.host == host) {
            Some(at) => Ok(Some(lookups.swap_remove(at))),
            None if lookups.len() < MOST => Ok(None),
            None => Err(LinkError::LookupTimeout(host.to_owned())),
        }
    })
}

fn begin(host: &str) -> io::Result<Lookup> {
    let (sender, receiver) = channel();
    let name = host.to_owned();
    let look_up = move || {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        let addresses = addresses.map(|addresses| addresses.map(|address| address.ip()).collect());
        // Nobody receives it if the PHP thread has ended.
        let _ = sender.send((Instant::now(), addresses));
    };
    // A thread inherits the mask of the one that starts it. PHP's signal handlers must not run in this one.
    let mask = block_signals();
    let thread = Builder::new().name("chatpush-lookup".to_owned()).spawn(look_up);
    set_signal_mask(&mask);
    thread?;
    Ok(Lookup { host: host.to_owned(), process: std::process::id(), receiver: Some(receiver), found: None })
}

impl Lookup {
    /// The result, or nothing when the deadline has passed.
    fn wait(&mut self, deadline: Instant) -> Option<io::Result<Vec<IpAddr>>> {
        if let Some((_, addresses)) = self.found.take() {
            return Some(addresses);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match self.receiver.as_ref()?.recv_timeout(left) {
            Ok((_, addresses)) => Some(addresses),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(io::Error::other("its thread has ended"))),
        }
    }

    /// Whether it belongs to this process, and is under way or has ended a moment ago.
    fn is_useful(&mut self) -> bool {
        let Some(receiver) = self.receiver.as_ref().filter(|_| self.process == std::process::id()) else {
            return false;
        };
        if self.found.is_none() {
            match receiver.try_recv() {
                Ok(found) => self.found = Some(found),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.found.as_ref().is_some_and(|(ended, _)| ended.elapsed() < FRESH)
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        // The channel's lock may have been held by the thread when this process was forked.
        if self.process != std::process::id() {
            std::mem::forget(self.receiver.take());
        }
    }
}

/// Blocks every signal in this thread, and returns the mask from before.
fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `sigfillset` initializes the set that it is given. `pthread_sigmask` reads that one and writes
    // the other, which is valid as zeros, too: it would be the empty mask. It fails only for an unknown
    // first argument.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn set_signal_mask(mask: &libc::sigset_t) {
    // SAFETY: the mask is one that `pthread_sigmask` returned; the old one is not asked for.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut());
    }
}
