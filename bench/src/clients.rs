//! The clients of a measurement. Receiver processes hold their connections.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::de::DeserializeOwned;

use crate::connect_spec::ConnectSpec;
use crate::ipc::ChildProcess;
use crate::latency::LatencyHistogram;
use crate::ledger::Counts;
use crate::receiver_protocol::{Progress, ReceiverReport, Request};

/// Connections per receiver process. Many systems allow a process 20,000 open files.
const PER_PROCESS: usize = 15_000;
/// How long opening all connections may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a receiver may take to answer, which may be busy reading.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How clients connect.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// How many connections of one process may be opening at the same time.
    pub max_opening: usize,
    /// Whether the clients stop reading once they are connected.
    pub stalled: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { max_opening: 64, stalled: false }
    }
}

/// Clients and the receiver processes that hold their connections.
#[derive(Debug)]
pub struct Clients {
    receivers: Vec<ChildProcess>,
}

/// What all clients have received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Counts of messages.
    pub counts: Counts,
    /// Latencies from the scheduled time of each message.
    pub intended: LatencyHistogram,
    /// Latencies from the start of each PHP call.
    pub called: LatencyHistogram,
    /// When the last message arrived, in nanoseconds of [`crate::clock`].
    pub latest: u64,
}

impl Clients {
    /// Opens a connection for each spec and waits until all of them are subscribed.
    ///
    /// # Errors
    ///
    /// If a connection cannot be opened. The error contains the server's reason.
    pub fn connect(specs: &[ConnectSpec], options: ConnectOptions) -> anyhow::Result<Self> {
        let mut clients = Self::begin(specs, options)?;
        let deadline = Instant::now() + OPEN_TIMEOUT;
        loop {
            let progress = clients.progress()?;
            ensure!(progress.failed == 0, "{} connections failed: {}", progress.failed, progress.reason);
            if progress.opening == 0 {
                return Ok(clients);
            }
            ensure!(Instant::now() < deadline, "{} connections are not open yet", progress.opening);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts to open a connection for each spec, without waiting.
    pub fn begin(specs: &[ConnectSpec], options: ConnectOptions) -> anyhow::Result<Self> {
        let program = receiver_program()?;
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

    /// The progress of all receivers together.
    pub fn progress(&mut self) -> anyhow::Result<Progress> {
        let mut sum = Progress::default();
        for one in self.ask::<Progress>(&Request::Progress)? {
            sum.opening += one.opening;
            sum.ready += one.ready;
            sum.failed += one.failed;
            sum.received += one.received;
            sum.latest = sum.latest.max(one.latest);
            if sum.reason.is_empty() {
                sum.reason = one.reason;
            }
        }
        Ok(sum)
    }

    /// Waits until `sent` messages have arrived, or none has arrived for `idle_timeout`.
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

    /// What the clients have received since the last report.
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

    /// The process ids of the receivers.
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
                serde_json::from_str(&line).with_context(|| format!("a receiver answered {line:?}"))
            })
            .collect()
    }
}

/// The program that runs as a receiver: `chatpush-bench`, which is this one unless this is a test.
fn receiver_program() -> anyhow::Result<std::path::PathBuf> {
    let program = std::env::current_exe()?;
    let beside = program.parent().and_then(|folder| Some(folder.parent()?.join("chatpush-bench")));
    Ok(beside.filter(|beside| beside.is_file()).unwrap_or(program))
}
