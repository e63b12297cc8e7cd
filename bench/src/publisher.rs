//! PHP processes that call one function many times and measure each call: in an open loop, at times that a
//! schedule sets, or in a closed loop, each call right after the one before.

pub mod slices;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::bench_env;
use crate::clock;
use crate::ipc::ChildProcess;
use crate::latency::LatencyHistogram;
use crate::peer::Php;

/// How long PHP may take to start and connect.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// The time from telling the processes when to start until that start, in nanoseconds.
const START_DELAY: u64 = 30_000_000;

/// PHP processes that are ready to start.
#[derive(Debug)]
pub struct Publishers {
    processes: Vec<ChildProcess>,
    /// How long they may run.
    timeout: Duration,
    /// The interval between two calls of one process. The processes start evenly spread over it.
    interval: Duration,
}

/// The results of all processes together.
#[derive(Clone, Debug, Default)]
pub struct CallResults {
    /// Calls made.
    pub calls: u64,
    /// Calls that returned false.
    pub refused: u64,
    /// How long the calls took.
    pub latencies: LatencyHistogram,
    /// When the first call started, in nanoseconds of [`crate::clock`].
    pub began: u64,
    /// When the last call ended.
    pub ended: u64,
}

/// The line that a PHP process prints at its end.
#[derive(Debug, Deserialize)]
struct ProcessResult {
    calls: u64,
    refused: u64,
    began: u64,
    ended: u64,
    samples: String,
}

/// An open loop: messages are due at a fixed rate, however long the calls take, and latency counts from when
/// a message was due. As many processes as the rate needs share the messages.
#[derive(Clone, Copy, Debug)]
pub struct OpenLoop {
    /// The first receiver.
    pub first_user: u32,
    /// The number of receivers, which take turns.
    pub users: u32,
    /// Messages per second, of all processes together.
    pub rate: u32,
    /// Number of messages, of all processes together.
    pub messages: u32,
    /// Length of each content.
    pub content_bytes: u32,
    /// The number of the first publisher. Loops that run at the same time use different numbers.
    pub publisher: u32,
}

/// A closed loop: each process makes its next call as soon as the one before has returned.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClosedLoop<'a> {
    /// `push`, `store`, `count_unread`, `fetch`, or another function of the peer's script.
    pub call: &'a str,
    /// Processes that call at the same time.
    pub callers: u32,
    /// The first receiver.
    pub first_user: u32,
    /// The number of receivers. Each process calls for one after the other, again and again.
    pub users: u32,
    /// Calls per process, 0 for no limit.
    pub calls: u32,
    /// How long to call, 0 for no limit.
    pub duration: Duration,
    /// Length of each content.
    pub content_bytes: u32,
    /// Calls per process before the measured ones.
    pub warmup: u32,
}

/// The highest rate of one process, in messages per second. At this rate a call may take 0.8 ms without
/// delaying the next.
const MAX_RATE: u32 = 1_250;

impl OpenLoop {
    /// Starts the processes.
    pub fn start(&self, php: &Php) -> anyhow::Result<Publishers> {
        let processes = self.rate.div_ceil(MAX_RATE).max(1);
        let interval = 1_000_000_000 * u64::from(processes) / u64::from(self.rate.max(1));
        let mut started = Vec::new();
        for number in 0..processes {
            let arguments = [
                u64::from(self.publisher + number),
                u64::from(self.first_user),
                u64::from(self.users),
                u64::from(self.messages / processes),
                interval,
                u64::from(self.content_bytes),
            ];
            started.push(start(php, "open_loop.php", &arguments.map(|value| value.to_string()))?);
        }
        let timeout = Duration::from_secs(u64::from(self.messages / self.rate.max(1)) * 3 + 60);
        Publishers::wait_until_ready(started, timeout, Duration::from_nanos(interval))
    }
}

impl ClosedLoop<'_> {
    /// Starts the processes.
    pub fn start(&self, php: &Php) -> anyhow::Result<Publishers> {
        let mut started = Vec::new();
        for number in 0..self.callers {
            let mut arguments = vec![self.call.to_owned()];
            let milliseconds = u32::try_from(self.duration.as_millis()).unwrap_or(u32::MAX);
            let numbers = [
                number,
                self.first_user,
                self.users,
                self.calls,
                milliseconds,
                self.content_bytes,
                self.warmup,
            ];
            arguments.extend(numbers.map(|value| value.to_string()));
            started.push(start(php, "closed_loop.php", &arguments)?);
        }
        Publishers::wait_until_ready(started, self.duration + Duration::from_secs(300), Duration::ZERO)
    }
}

impl Publishers {
    fn wait_until_ready(
        mut processes: Vec<ChildProcess>,
        timeout: Duration,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        for process in &mut processes {
            let line = process.receive_line(START_TIMEOUT)?;
            ensure!(line == "ready", "a publisher printed {line:?}");
        }
        Ok(Self { processes, timeout, interval })
    }

    /// Starts the calls. All processes use the same clock; each starts a fraction of the interval after the
    /// one before.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let begin = clock::now() + START_DELAY;
        let count = self.processes.len() as u64;
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or_default();
        for (number, process) in self.processes.iter_mut().enumerate() {
            process.send_line(&(begin + interval * number as u64 / count).to_string())?;
        }
        Ok(())
    }

    /// Waits until all processes have finished and returns their results.
    pub fn finish(mut self) -> anyhow::Result<CallResults> {
        let mut called = CallResults { began: u64::MAX, ..CallResults::default() };
        for process in &mut self.processes {
            let text = process.receive_line(self.timeout)?;
            let line: ProcessResult =
                serde_json::from_str(&text).with_context(|| format!("a publisher printed {text:.200}"))?;
            called.calls += line.calls;
            called.refused += line.refused;
            called.began = called.began.min(line.began);
            called.ended = called.ended.max(line.ended);
            for sample in STANDARD.decode(line.samples)?.chunks_exact(4) {
                called.latencies.record(sample.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
            }
        }
        Ok(called)
    }

    /// Starts the calls and waits for the results.
    pub fn run(mut self) -> anyhow::Result<CallResults> {
        self.begin()?;
        self.finish()
    }
}

impl CallResults {
    /// The time from the start of the first call to the end of the last, in seconds.
    pub fn seconds(&self) -> f64 {
        self.ended.saturating_sub(self.began) as f64 / 1e9
    }

    /// Calls that did not return false.
    pub const fn accepted(&self) -> u64 {
        self.calls - self.refused
    }
}

fn start(php: &Php, script: &str, arguments: &[String]) -> anyhow::Result<ChildProcess> {
    let mut command = Command::new("php");
    for setting in &php.settings {
        command.args(["-d", setting]);
    }
    command.arg(bench_env::source_folder().join("php").join(script)).args(arguments);
    command.env("BENCH_PEER", php.peer).envs(php.environment.iter().map(|(name, value)| (name, value)));
    ChildProcess::start("a PHP publisher", &mut command)
}
