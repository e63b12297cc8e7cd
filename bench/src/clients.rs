//! The clients of a measurement, spread over receiver processes.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;

use crate::connect_spec::ConnectSpec;
use crate::ipc::ChildProcess;
use crate::latency::LatencyHistogram;
use crate::ledger::Counts;
use crate::receiver_protocol::{Progress, ReceiverReport, Request};

/// Connections of one process: below the 20,000 files that many systems allow.
const PER_PROCESS: usize = 15_000;
/// How long all connections together may take to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(180);
/// How long an answer may take, even of a process that is busy reading.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How clients connect.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// How many of a process may be opening at a time.
    pub max_opening: usize,
    /// Whether they never read once they are open.
    pub stalled: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { max_opening: 64, stalled: false }
    }
}

/// Clients that are connected.
#[derive(Debug)]
pub struct Clients {
    receivers: Vec<ChildProcess>,
}

/// What all of them have received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// What came.
    pub counts: Counts,
    /// How late, from the intended time on.
    pub intended: LatencyHistogram,
    /// How late, from the beginning of the call on.
    pub called: LatencyHistogram,
    /// When the latest came.
    pub latest: u64,
}

impl Clients {
    /// Opens a connection for each and waits until messages are sure to come on all of them.
    ///
    /// # Errors
    ///
    /// When one of them cannot be opened, with the server's reason.
    pub fn connect(specs: &[ConnectSpec], options: ConnectOptions) -> anyhow::Result<Self> {
        let mut clients = Self::begin(specs, options)?;
        let deadline = Instant::now() + OPEN_TIMEOUT;
        loop {
            let progress = clients.progress()?;
            ensure!(progress.gone == 0, "{} connections failed: {}", progress.gone, progress.why);
            if progress.opening == 0 {
                return Ok(clients);
            }
            ensure!(Instant::now() < deadline, "{} connections are not open yet", progress.opening);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Begins to open a connection for each and waits for nothing.
    pub fn begin(specs: &[ConnectSpec], options: ConnectOptions) -> anyhow::Result<Self> {
        let program = receiver()?;
        let mut clients = Self { receivers: Vec::new() };
        for specs in specs.chunks(PER_PROCESS) {
            let mut receiver = ChildProcess::start("a receiver", Command::new(&program).arg("receive"))?;
            let request = Request::Connect {
                specs: specs.to_vec(),
                max_opening: options.max_opening,
                stalled: options.stalled,
            };
            receiver.send_line(&serde_json::to_string(&request)?)?;
            clients.receivers.push(receiver);
        }
        Ok(clients)
    }

    /// How far they are.
    pub fn progress(&mut self) -> anyhow::Result<Progress> {
        let mut sum = Progress::default();
        for one in self.ask::<Progress>(&Request::Progress)? {
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

    /// Waits until `sent` messages have come, or until for `idle_timeout` none has.
    pub fn settle(&mut self, sent: u64, idle_timeout: Duration) -> anyhow::Result<()> {
        let (mut received, mut since) = (0, Instant::now());
        loop {
            let progress = self.progress()?;
            if progress.received > received {
                (received, since) = (progress.received, Instant::now());
            }
            if received >= sent || since.elapsed() > idle_timeout {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What they have seen since the last time this was asked.
    pub fn report(&mut self) -> anyhow::Result<Received> {
        let mut received = Received::default();
        for report in self.ask::<ReceiverReport>(&Request::Report)? {
            received.counts.add(report.counts);
            received.intended.merge(&report.intended);
            received.called.merge(&report.called);
            received.latest = received.latest.max(report.latest);
        }
        Ok(received)
    }

    /// The processes that hold the connections.
    pub fn pids(&self) -> Vec<u32> {
        self.receivers.iter().map(ChildProcess::pid).collect()
    }

    fn ask<Answer: DeserializeOwned>(&mut self, request: &Request) -> anyhow::Result<Vec<Answer>> {
        let request = serde_json::to_string(request)?;
        for receiver in &mut self.receivers {
            receiver.send_line(&request)?;
        }
        self.receivers
            .iter_mut()
            .map(|receiver| {
                let line = receiver.receive_line(ANSWER_TIMEOUT)?;
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
