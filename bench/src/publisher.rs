//! PHP processes that publish, store or ask, and measure each call.

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
/// How long before the first call everybody is told of it, in nanoseconds.
const START_DELAY: u64 = 30_000_000;

/// PHP processes that are ready to begin.
#[derive(Debug)]
pub struct Publishers {
    processes: Vec<ChildProcess>,
    /// How long they may take.
    longest: Duration,
    /// How far apart the calls of one process are, among which the others find their places.
    gap: Duration,
}

/// What came of all calls.
#[derive(Clone, Debug, Default)]
pub struct CallResults {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that said no.
    pub refused: u64,
    /// How long each took.
    pub latencies: LatencyHistogram,
    /// When the first began, in nanoseconds of [`crate::clock`].
    pub began: u64,
    /// When the last ended.
    pub ended: u64,
}

/// What one process says at its end.
#[derive(Debug, Deserialize)]
struct ProcessResult {
    calls: u64,
    refused: u64,
    began: u64,
    ended: u64,
    samples: String,
}

/// A timetable: so many messages to so many users, at that rate, by whatever number of processes that takes.
#[derive(Clone, Copy, Debug)]
pub struct OpenLoop {
    /// The first receiver.
    pub first_user: u32,
    /// How many there are; they take turns.
    pub users: u32,
    /// Messages a second, of all processes together.
    pub rate: u32,
    /// Messages of all processes together.
    pub messages: u32,
    /// Bytes of a content.
    pub content_bytes: u32,
    /// Number of the first publisher, so that two timetables can run at a time.
    pub publisher: u32,
}

/// Calls that follow each other as fast as they return.
#[derive(Clone, Copy, Debug)]
pub struct ClosedLoop<'a> {
    /// `push`, `store`, `count_unread` or `fetch`.
    pub call: &'a str,
    /// Processes that call at the same time.
    pub callers: u32,
    /// The first receiver.
    pub first_user: u32,
    /// How many there are; each caller goes round them.
    pub users: u32,
    /// Calls of each process, 0 for no limit.
    pub calls: u32,
    /// How long, 0 for no limit.
    pub duration: Duration,
    /// Bytes of a content.
    pub content_bytes: u32,
    /// Calls of each process before the measured ones.
    pub warmup: u32,
}

/// What one PHP process publishes a second at most, so that a call that takes 0.5 ms is not late by itself.
const RATE: u32 = 1_250;

impl OpenLoop {
    /// Starts the processes.
    pub fn start(&self, php: &Php) -> anyhow::Result<Publishers> {
        let processes = self.rate.div_ceil(RATE).max(1);
        let gap = 1_000_000_000 * u64::from(processes) / u64::from(self.rate.max(1));
        let mut started = Vec::new();
        for number in 0..processes {
            let arguments = [
                u64::from(self.publisher + number),
                u64::from(self.first_user),
                u64::from(self.users),
                u64::from(self.messages / processes),
                gap,
                u64::from(self.content_bytes),
            ];
            started.push(start(php, "open_loop.php", &arguments.map(|value| value.to_string()))?);
        }
        let longest = Duration::from_secs(u64::from(self.messages / self.rate.max(1)) * 3 + 60);
        Publishers::ready(started, longest, Duration::from_nanos(gap))
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
        Publishers::ready(started, self.duration + Duration::from_secs(300), Duration::ZERO)
    }
}

impl Publishers {
    fn ready(mut processes: Vec<ChildProcess>, longest: Duration, gap: Duration) -> anyhow::Result<Self> {
        for process in &mut processes {
            let line = process.receive_line(START_TIMEOUT)?;
            ensure!(line == "ready", "a publisher said {line:?}");
        }
        Ok(Self { processes, longest, gap })
    }

    /// Lets them begin, all by the same clock, each a fraction of the gap behind the one before.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        let begin = clock::now() + START_DELAY;
        let count = self.processes.len() as u64;
        let gap = u64::try_from(self.gap.as_nanos()).unwrap_or_default();
        for (number, process) in self.processes.iter_mut().enumerate() {
            process.send_line(&(begin + gap * number as u64 / count).to_string())?;
        }
        Ok(())
    }

    /// Waits until all have ended.
    pub fn finish(mut self) -> anyhow::Result<CallResults> {
        let mut called = CallResults { began: u64::MAX, ..CallResults::default() };
        for process in &mut self.processes {
            let text = process.receive_line(self.longest)?;
            let line: ProcessResult =
                serde_json::from_str(&text).with_context(|| format!("a publisher said {text:.200}"))?;
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

    /// Lets them begin and waits until all have ended.
    pub fn run(mut self) -> anyhow::Result<CallResults> {
        self.begin()?;
        self.finish()
    }
}

impl CallResults {
    /// From the first call to the end of the last, in seconds.
    pub fn seconds(&self) -> f64 {
        self.ended.saturating_sub(self.began) as f64 / 1e9
    }

    /// Calls that said yes.
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
