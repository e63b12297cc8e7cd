//! PHP workers that call the extension as fast as it answers.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use chatpush_stack::artifacts;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::cluster::NAME;
use crate::history::{History, lock};

/// One worker process, and the task that reads its output.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Child,
    reading: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker whose calls are recorded in the history. Its name is part of each message's key.
    pub(crate) fn start(
        name: &str,
        seed: u64,
        users: u32,
        redis_url: &str,
        history: Arc<Mutex<History>>,
    ) -> anyhow::Result<Self> {
        let mut process = program(redis_url, 3_000)?
            .args([name, &(seed % 0x7FFF_FFFF).to_string(), &users.to_string()])
            .spawn()
            .context("cannot start php")?;
        let output = process.stdout.take().context("php has no output")?;
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                lock(&history).line(&line);
            }
        });
        Ok(Self { process, reading })
    }

    /// Kills the worker and reads the rest of its output.
    pub(crate) async fn kill(mut self) {
        // It fails if the worker has ended by itself; its last call then has no result.
        let _ = self.process.kill().await;
        let _ = self.reading.await;
    }
}

/// A message from a worker of its own, which MySQL refuses.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// The worker's name, a part of the message's key.
    pub(crate) name: String,
    /// The user id of the receiver.
    pub(crate) receiver: u32,
    /// Where the call is recorded.
    pub(crate) history: &'a Mutex<History>,
}

impl Message<'_> {
    /// Sends it, and returns the outcome of the call as the worker says it.
    pub(crate) async fn send(self, redis_url: &str) -> anyhow::Result<String> {
        let output = program(redis_url, 30_000)?
            .args([&self.name, "0", &self.receiver.to_string(), "poison"])
            .output()
            .await
            .context("cannot start php")?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in output.lines() {
            lock(self.history).line(line);
        }
        let outcome = output.lines().last().and_then(|line| line.rsplit('\t').next());
        Ok(outcome.unwrap_or_default().to_owned())
    }
}

/// PHP with the worker's script.
fn program(redis_url: &str, timeout_ms: u32) -> anyhow::Result<Command> {
    let settings = [
        format!("extension={}", artifacts::extension()?),
        format!("chatpush.redis_url={redis_url}"),
        format!("chatpush.prefix={NAME}"),
        format!("chatpush.timeout_ms={timeout_ms}"),
    ];
    let mut command = Command::new("php");
    for setting in &settings {
        command.args(["-d", setting]);
    }
    command.arg(artifacts::root().join("chaos/src/worker.php"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}
