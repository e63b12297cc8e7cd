//! How long a socket of the extension waits at most. A library that PHP loads has no unit tests, but this
//! part of it needs no PHP.

#[path = "../../php-ext/src/link/send_timeout.rs"]
mod extension;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::SockRef;

/// The kernel counts in microseconds, and takes a zero for no timeout at all.
#[test]
fn no_time_that_is_left_becomes_a_wait_without_an_end() {
    let (socket, _peer) = UnixStream::pair().expect("a pair of sockets");
    let socket = SockRef::from(&socket);
    for nanoseconds in [1, 999, 1_000, 999_999, 1_000_000, 2_000_000_000] {
        let left = Duration::from_nanos(nanoseconds);
        socket.set_write_timeout(Some(extension::send_timeout(left))).expect("the kernel takes it");
        let bounded = socket.write_timeout().expect("the kernel tells it");
        assert!(bounded.is_some_and(|time| time >= left), "{left:?} became {bounded:?}");
    }
}
