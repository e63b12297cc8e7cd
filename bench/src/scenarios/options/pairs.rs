//! Two installations take turns in short slices, so that both of a pair meet the same neighbours on the machine.

use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::installation::Installation;
use crate::clock;
use crate::publisher::slices::{SlicedLoop, SlicedPublishers};
use crate::scenarios::CONTENT_BYTES;

/// How long callers store to one installation at a time: as long as the daemon waits from one look for who is due to the
/// next one. So there is one in each slice, as in each second of a daemon that is not stopped.
const SLICE: Duration = Duration::from_secs(1);

/// The time from telling the callers when to start until that start.
const LEAD: Duration = Duration::from_millis(5);

/// Pairs before those that count.
const WARM_UP: u32 = 2;

/// Who stores, and for whom.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Processes that store at the same time.
    pub(super) callers: u32,
    /// The number of receivers.
    pub(super) users: u32,
    /// Pairs of slices.
    pub(super) pairs: u32,
}

/// Slices of one installation.
#[derive(Default)]
pub(super) struct Slices {
    /// Rows per second.
    pub(super) rates: Vec<f64>,
    /// CPU seconds per row of the daemon, Redis and MariaDB.
    pub(super) cpu: Vec<f64>,
}

struct Side<'a> {
    installation: &'a Installation<'a>,
    callers: SlicedPublishers,
    stored: u64,
    slices: Slices,
}

impl<'a> Side<'a> {
    fn start(installation: &'a Installation<'a>, load: Load) -> anyhow::Result<Self> {
        let sliced = SlicedLoop {
            call: "store",
            callers: load.callers,
            first_user: 1,
            users: load.users,
            content_bytes: CONTENT_BYTES,
            slice: SLICE,
        };
        let callers = sliced.start(&installation.php)?;
        installation.signal("STOP");
        Ok(Self { installation, callers, stored: 0, slices: Slices::default() })
    }

    /// The daemon runs in its own slices alone, so what it does beside stores, such as to look for who is due, takes
    /// time from them and not from the other's.
    fn slice(&mut self, counts: bool) -> anyhow::Result<()> {
        let before = self.installation.cpu_seconds();
        self.callers.begin(clock::now() + LEAD.as_nanos() as u64)?;
        thread::sleep(LEAD);
        self.installation.signal("CONT");
        let slice = self.callers.finish()?;
        self.installation.signal("STOP");
        let used = self.installation.cpu_seconds() - before;
        self.stored += slice.accepted;
        if counts {
            self.slices.rates.push(slice.rate);
            self.slices.cpu.push(used / slice.accepted.max(1) as f64);
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<Slices> {
        self.installation.signal("CONT");
        let (stored, rows) = (self.stored, self.installation.rows()?);
        ensure!(stored == rows, "{stored} stores returned true, but there are {rows} rows");
        Ok(self.slices)
    }
}

/// Stores to two installations, which take turns to be the first of a pair.
pub(super) fn alternate(
    (one, other): (&Installation<'_>, &Installation<'_>),
    load: Load,
) -> anyhow::Result<(Slices, Slices)> {
    let (mut one, mut other) = (Side::start(one, load)?, Side::start(other, load)?);
    for pair in 0..WARM_UP + load.pairs {
        let counts = pair >= WARM_UP;
        if pair % 2 == 0 {
            one.slice(counts)?;
            other.slice(counts)?;
        } else {
            other.slice(counts)?;
            one.slice(counts)?;
        }
    }
    Ok((one.end()?, other.end()?))
}
