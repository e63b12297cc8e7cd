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
        let script = artifacts::root().join("chaos/src/worker.php");
        let settings = [
            format!("extension={}", artifacts::extension()?),
            format!("chatpush.redis_url={redis_url}"),
            format!("chatpush.prefix={NAME}"),
            "chatpush.timeout_ms=3000".to_owned(),
        ];
        let mut command = Command::new("php");
        for setting in &settings {
            command.args(["-d", setting]);
        }
        let mut process = command
            .arg(script)
            .args([name, &(seed % 0x7FFF_FFFF).to_string(), &users.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
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
