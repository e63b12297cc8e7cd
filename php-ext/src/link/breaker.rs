//! A circuit breaker for daemons. One that hangs, or whose database does, would cost every call its whole
//! timeout. After two such calls in a row, calls wait only as long as a daemon usually needs: what they sent
//! is queued all the same, and the first answer in that time closes the breaker again. So that one which has
//! become slower closes it too, a call now and then waits its whole time.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use chatpush_wire::address::{Address, Endpoint, Location};
use chatpush_wire::key::Prefix;

use super::connection::Connection;

/// So many calls in a row without an answer open the breaker. A single one may have met a locked row.
const MISSES: u32 = 2;

/// A wait is cut to so many times the usual one, since calls differ,
const USUAL_TIMES: u32 = 8;

/// but to no less than this, since a daemon may have other work.
const SHORTEST: Duration = Duration::from_millis(20);

/// How often a call waits its whole time while the breaker is open.
const PROBE: Duration = Duration::from_secs(10);

/// What is known of the daemons of one installation. They may answer what one master of a cluster has, and not what
/// another has.
#[derive(Debug)]
struct Breaker {
    installation: (Address, Prefix),
    /// The master, if there are several.
    master: Option<Endpoint>,
    awaited: Awaited,
    /// How long answers took, as a moving average.
    usual: Duration,
    /// The calls in a row that had no answer, and when the first of them began.
    missed: Option<(u32, Instant)>,
    /// When the last call waited its whole time in vain.
    probed: Instant,
}

thread_local! {
    /// Of one installation.
    static BREAKERS: RefCell<Vec<Breaker>> = const { RefCell::new(Vec::new()) };
}

/// Whose answer a call needs. Where one daemon of several hangs, others still do what any of them can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// That of any daemon.
    Any,
    /// That of each daemon that was asked.
    Each,
}

/// The wait of one call for daemons.
#[derive(Debug)]
pub(crate) struct DaemonWait {
    /// Which breaker it is.
    at: usize,
    began: Instant,
    deadline: Instant,
    cut: bool,
}

/// That a call did not wait its whole time, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    missed: u32,
    lasts: Duration,
    waited: Duration,
    /// Whether some daemon has answered this call.
    partial: bool,
}

/// Begins the wait of a call on this connection, which may last until the deadline.
pub(crate) fn begin(
    awaited: Awaited,
    connection: &Connection,
    prefix: &Prefix,
    deadline: Instant,
) -> DaemonWait {
    let began = Instant::now();
    let address = connection.address();
    let master = matches!(address.location, Location::Cluster(_)).then(|| connection.endpoint());
    BREAKERS.with_borrow_mut(|breakers| {
        let is_of_installation =
            |known: &Breaker| known.installation.0 == *address && known.installation.1 == *prefix;
        let is_same = |known: &Breaker| known.awaited == awaited && known.master.as_ref() == master;
        let at = breakers.iter().position(is_same).unwrap_or(breakers.len());
        let Some(known) = breakers.get(at).filter(|known| is_of_installation(known)) else {
            breakers.retain(is_of_installation);
            let at = breakers.len();
            breakers.push(Breaker {
                installation: (address.clone(), prefix.clone()),
                master: master.cloned(),
                awaited,
                usual: Duration::ZERO,
                missed: None,
                probed: began,
            });
            return DaemonWait { at, began, deadline, cut: false };
        };
        let is_open = known.missed.is_some_and(|(missed, _)| missed >= MISSES);
        let short = began + (known.usual * USUAL_TIMES).max(SHORTEST);
        let cut = is_open && began.saturating_duration_since(known.probed) < PROBE && short < deadline;
        DaemonWait { at, began, deadline: if cut { short } else { deadline }, cut }
    })
}

impl DaemonWait {
    /// Until when to wait.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Every answer that the call needs has come.
    pub(crate) fn answered(self) {
        BREAKERS.with_borrow_mut(|breakers| {
            if let Some(breaker) = breakers.get_mut(self.at) {
                breaker.missed = None;
                let took = self.began.elapsed();
                breaker.usual = if breaker.usual.is_zero() { took } else { (breaker.usual * 7 + took) / 8 };
            }
        });
    }

    /// It has not. `partial`: some daemon has answered. Returns why the wait was shorter than the call, if it was.
    pub(crate) fn missed(self, partial: bool) -> Option<Silence> {
        let now = Instant::now();
        BREAKERS.with_borrow_mut(|breakers| {
            let breaker = breakers.get_mut(self.at)?;
            let (missed, since) = breaker.missed.unwrap_or((0, self.began));
            breaker.missed = Some((missed.saturating_add(1), since));
            if !self.cut {
                breaker.probed = now;
            }
            self.cut.then(|| Silence { missed, lasts: now - since, waited: now - self.began, partial })
        })
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} chatpushd has answered the last {} calls, for {} s, so this one waited only {} ms",
            if self.partial { "not every" } else { "no" },
            self.missed,
            self.lasts.as_secs(),
            self.waited.as_millis()
        )
    }
}
