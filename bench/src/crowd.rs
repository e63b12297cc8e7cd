//! The clients of a measurement, spread over receiver processes.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;

use crate::connect_spec::ConnectSpec;
use crate::delays::Delays;
use crate::ipc::ChildProcess;
use crate::ledger::Counts;
use crate::order::{Order, Progress, Report};

/// Connections of one process: below the 20,000 files that many systems allow.
const PER_PROCESS: usize = 15_000;
/// How long all connections together may take to open.
const OPENING: Duration = Duration::from_secs(180);
/// How long an answer may take, even of a process that is busy reading.
const ANSWER: Duration = Duration::from_secs(30);

/// How clients connect.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How many of a process may be opening at a time.
    pub window: usize,
    /// Whether they never read once they are open.
    pub deaf: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self { window: 64, deaf: false }
    }
}

/// Clients that are connected.
#[derive(Debug)]
pub struct Crowd {
    receivers: Vec<ChildProcess>,
}

/// What all of them have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What came.
    pub counts: Counts,
    /// How late, from the intended time on.
    pub intended: Delays,
    /// How late, from the beginning of the call on.
    pub called: Delays,
    /// When the latest came.
    pub latest: u64,
}

impl Crowd {
    /// Opens a connection for each and waits until messages are sure to come on all of them.
    ///
    /// # Errors
    ///
    /// When one of them cannot be opened, with the server's reason.
    pub fn connect(specs: &[ConnectSpec], manner: Manner) -> anyhow::Result<Self> {
        let mut crowd = Self::begin(specs, manner)?;
        let deadline = Instant::now() + OPENING;
        loop {
            let progress = crowd.progress()?;
            ensure!(progress.gone == 0, "{} connections failed: {}", progress.gone, progress.why);
            if progress.opening == 0 {
                return Ok(crowd);
            }
            ensure!(Instant::now() < deadline, "{} connections are not open yet", progress.opening);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Begins to open a connection for each and waits for nothing.
    pub fn begin(specs: &[ConnectSpec], manner: Manner) -> anyhow::Result<Self> {
        let program = receiver()?;
        let mut crowd = Self { receivers: Vec::new() };
        for specs in specs.chunks(PER_PROCESS) {
            let mut receiver = ChildProcess::start("a receiver", Command::new(&program).arg("receive"))?;
            let order = Order::Connect { specs: specs.to_vec(), window: manner.window, deaf: manner.deaf };
            receiver.send_line(&serde_json::to_string(&order)?)?;
            crowd.receivers.push(receiver);
        }
        Ok(crowd)
    }

    /// How far they are.
    pub fn progress(&mut self) -> anyhow::Result<Progress> {
        let mut sum = Progress::default();
        for one in self.ask::<Progress>(&Order::Progress)? {
            sum.opening += one.opening;
            sum.ready += one.ready;
            sum.gone += one.gone;
            sum.received += one.received;
            sum.latest = sum.latest.max(one.latest);
            if sum.why.is_empty() {
                sum.why = one.why;
            }
        }
        Ok(sum)
    }

    /// Waits until `sent` messages have come, or until for `patience` none has.
    pub fn settle(&mut self, sent: u64, patience: Duration) -> anyhow::Result<()> {
        let (mut received, mut since) = (0, Instant::now());
        loop {
            let progress = self.progress()?;
            if progress.received > received {
                (received, since) = (progress.received, Instant::now());
            }
            if received >= sent || since.elapsed() > patience {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What they have seen since the last time this was asked.
    pub fn report(&mut self) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        for report in self.ask::<Report>(&Order::Report)? {
            seen.counts.add(report.counts);
            seen.intended.add(&report.intended);
            seen.called.add(&report.called);
            seen.latest = seen.latest.max(report.latest);
        }
        Ok(seen)
    }

    /// The processes that hold the connections.
    pub fn pids(&self) -> Vec<u32> {
        self.receivers.iter().map(ChildProcess::pid).collect()
    }

    fn ask<Answer: DeserializeOwned>(&mut self, order: &Order) -> anyhow::Result<Vec<Answer>> {
        let order = serde_json::to_string(order)?;
        for receiver in &mut self.receivers {
            receiver.send_line(&order)?;
        }
        self.receivers
            .iter_mut()
            .map(|receiver| {
                let line = receiver.receive_line(ANSWER)?;
                serde_json::from_str(&line).with_context(|| format!("a receiver said {line:?}"))
            })
            .collect()
    }
}

/// The program that receives: this one, or the one that was built beside a test.
fn receiver() -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let beside = program.parent().and_then(|folder| Some(folder.parent()?.join("chatpush-bench")));
    Ok(beside.filter(|beside| beside.is_file()).unwrap_or(program))
}
