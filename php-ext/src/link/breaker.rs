//! A circuit breaker for daemons. One that hangs, or whose database does, would cost every call its whole
//! timeout. After two such calls in a row, calls wait only as long as a daemon usually needs: what they sent
//! is queued all the same, and the first answer in that time closes the breaker again. So that one which has
//! become slower closes it too, a call now and then waits its whole time.

use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, Instant};

use chatpush_wire::address::Address;
use chatpush_wire::key::Prefix;

/// So many calls in a row without an answer open the breaker. A single one may have met a locked row.
const MISSES: u32 = 2;

/// A wait is cut to so many times the usual one, since calls differ,
const USUAL_TIMES: u32 = 8;

/// but to no less than this, since a daemon may have other work.
const SHORTEST: Duration = Duration::from_millis(20);

/// How often a call waits its whole time while the breaker is open.
const PROBE: Duration = Duration::from_secs(10);

/// What is known of the daemons of one installation.
#[derive(Debug)]
struct Breaker {
    installation: (Address, Prefix),
    /// How long answers took, as a moving average.
    usual: Duration,
    /// The calls in a row that had no answer, and when the first of them began.
    missed: Option<(u32, Instant)>,
    /// When the last call waited its whole time in vain.
    probed: Instant,
}

thread_local! {
    static BREAKER: RefCell<Option<Breaker>> = const { RefCell::new(None) };
}

/// The wait of one call for a daemon.
#[derive(Debug)]
pub(crate) struct DaemonWait {
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
}

/// Begins the wait of a call that may last until the deadline.
pub(crate) fn begin(address: &Address, prefix: &Prefix, deadline: Instant) -> DaemonWait {
    let began = Instant::now();
    BREAKER.with_borrow_mut(|breaker| {
        let known = breaker.as_ref().filter(|known| {
            let (known_address, known_prefix) = &known.installation;
            known_address == address && known_prefix == prefix
        });
        let Some(known) = known else {
            *breaker = Some(Breaker {
                installation: (address.clone(), prefix.clone()),
                usual: Duration::ZERO,
                missed: None,
                probed: began,
            });
            return DaemonWait { began, deadline, cut: false };
        };
        let is_open = known.missed.is_some_and(|(missed, _)| missed >= MISSES);
        let short = began + (known.usual * USUAL_TIMES).max(SHORTEST);
        let cut = is_open && began.saturating_duration_since(known.probed) < PROBE && short < deadline;
        DaemonWait { began, deadline: if cut { short } else { deadline }, cut }
    })
}

impl DaemonWait {
    /// Until when to wait.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// A daemon has answered.
    pub(crate) fn answered(self) {
        BREAKER.with_borrow_mut(|breaker| {
            if let Some(breaker) = breaker {
                breaker.missed = None;
                let took = self.began.elapsed();
                breaker.usual = if breaker.usual.is_zero() { took } else { (breaker.usual * 7 + took) / 8 };
            }
        });
    }

    /// No daemon has. Returns why the wait was shorter than the call, if it was.
    pub(crate) fn missed(self) -> Option<Silence> {
        let now = Instant::now();
        BREAKER.with_borrow_mut(|breaker| {
            let breaker = breaker.as_mut()?;
            let (missed, since) = breaker.missed.unwrap_or((0, self.began));
            breaker.missed = Some((missed.saturating_add(1), since));
            if !self.cut {
                breaker.probed = now;
            }
            self.cut.then(|| Silence { missed, lasts: now - since, waited: now - self.began })
        })
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no chatpushd has answered the last {} calls, for {} s, so this one waited only {} ms",
            self.missed,
            self.lasts.as_secs(),
            self.waited.as_millis()
        )
    }
}
