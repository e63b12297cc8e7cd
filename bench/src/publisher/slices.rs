//! PHP processes that call in slices of time, so that two installations can take turns.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{START_TIMEOUT, start};
use crate::ipc::ChildProcess;
use crate::peer::Php;

/// How long a slice may take beyond its time.
const SLICE_TIMEOUT: Duration = Duration::from_secs(60);

/// A closed loop in slices of time.
#[derive(Clone, Copy, Debug)]
pub struct SlicedLoop<'a> {
    /// A function of the peer's script.
    pub call: &'a str,
    /// Processes that call at the same time.
    pub callers: u32,
    /// The first receiver.
    pub first_user: u32,
    /// The number of receivers. The processes go round them evenly spread, and from one slice to the next.
    pub users: u32,
    /// Length of each content.
    pub content_bytes: u32,
    /// The time of a slice.
    pub slice: Duration,
}

/// The processes of a [`SlicedLoop`].
#[derive(Debug)]
pub struct SlicedPublishers(Vec<ChildProcess>);

/// The results of a slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    /// Calls that did not return false.
    pub accepted: u64,
    /// Calls per second, of all processes together. Each counts until its own last call has returned.
    pub rate: f64,
}

impl SlicedLoop<'_> {
    /// Starts the processes.
    pub fn start(&self, php: &Php) -> anyhow::Result<SlicedPublishers> {
        let milliseconds = u32::try_from(self.slice.as_millis())?;
        let mut processes = Vec::new();
        for number in 0..self.callers {
            let next = u64::from(self.users) * u64::from(number) / u64::from(self.callers);
            let mut arguments = vec![self.call.to_owned()];
            let numbers =
                [self.first_user, self.users, u32::try_from(next)?, self.content_bytes, milliseconds];
            arguments.extend(numbers.map(|value| value.to_string()));
            processes.push(start(php, "slices.php", &arguments)?);
        }
        for process in &mut processes {
            let line = process.receive_line(START_TIMEOUT)?;
            ensure!(line == "ready", "a publisher printed {line:?}");
        }
        Ok(SlicedPublishers(processes))
    }
}

impl SlicedPublishers {
    /// Lets them call from a time of [`crate::clock`].
    pub fn begin(&mut self, at: u64) -> anyhow::Result<()> {
        self.0.iter_mut().try_for_each(|process| process.send_line(&at.to_string()))
    }

    /// Waits until the last call of the slice has returned.
    pub fn finish(&mut self) -> anyhow::Result<Slice> {
        let mut slice = Slice::default();
        for process in &mut self.0 {
            let text = process.receive_line(SLICE_TIMEOUT)?;
            let (calls, refused, nanoseconds): (u64, u64, u64) =
                serde_json::from_str(&text).with_context(|| format!("a publisher printed {text:.200}"))?;
            slice.accepted += calls - refused;
            slice.rate += (calls - refused) as f64 * 1e9 / nanoseconds.max(1) as f64;
        }
        Ok(slice)
    }
}
